# SPDX-License-Identifier: Apache-2.0
# Compiler settings of everything in this tree. A parent project that embeds vastmax keeps its own.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 99)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES AND NOT VMX_SANITIZE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, RelWithDebInfo or Debug" FORCE)
  endif()
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
  set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
  set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
endif()

# Flags of one target of ours: vmx_compile_options(target [LIBRARY]).
function(vmx_compile_options target)
  cmake_parse_arguments(arg "LIBRARY" "" "" ${ARGN})
  # GCC contracts even intrinsics into fma by default; one contracted product breaks the promise of equal bits.
  target_compile_options(${target} PRIVATE -ffp-contract=off -Wall -Wextra -Wpedantic -Wshadow -Wundef -Wno-psabi)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>)
  if(VMX_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(arg_LIBRARY)
    # Sign conversions are left out: intrinsics take signed types for what are bits.
    target_compile_options(${target} PRIVATE -Wconversion -Wno-sign-conversion)
    if(NOT VMX_SANITIZE AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
      target_compile_options(${target} PRIVATE -O3) # whatever -O the build type says
    endif()
  endif()
  if(VMX_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${VMX_SANITIZE} -fno-sanitize-recover=all
                                             -fno-omit-frame-pointer -O1 -g1)
    if(VMX_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # GCC 12 fails inside that pass on the kernels ("in gsi_insert_seq_nodes_after").
      target_compile_options(${target} PRIVATE -fno-tree-sra)
    endif()
    target_link_options(${target} PRIVATE -fsanitize=${VMX_SANITIZE})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU") # the checks hide the flow of values from this warning
      target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
    endif()
  endif()
endfunction()
