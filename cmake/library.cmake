# SPDX-License-Identifier: Apache-2.0
# One set of objects, compiled once with -fPIC, feeds the shared library, the static one and the tests.

find_package(Threads REQUIRED)
find_package(Xsimd 8.1)
if(NOT Xsimd_FOUND)
  message(FATAL_ERROR "xsimd >= 8.1 was not found (Debian: libxsimd-dev). scripts/setup.sh installs what is missing.")
endif()
if(VMX_WITH_ONEDNN)
  find_package(OneDNN 2.6)
  if(NOT OneDNN_FOUND)
    message(FATAL_ERROR "oneDNN >= 2.6 was not found (Debian: libdnnl-dev). scripts/setup.sh installs what is missing; "
                        "-DVMX_WITH_ONEDNN=OFF builds without it.")
  endif()
endif()

set(globs capi/*.cpp src/core/*.cpp src/ops/*.cpp src/sources/*.cpp src/samplers/*.cpp)
list(TRANSFORM globs PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
file(GLOB sources CONFIGURE_DEPENDS ${globs})

add_library(vastmax_objects OBJECT ${sources})
foreach(isa IN LISTS VMX_ISAS)
  set(file "${CMAKE_CURRENT_SOURCE_DIR}/src/targets/${isa}.cpp")
  target_sources(vastmax_objects PRIVATE "${file}")
  set(flags ${VMX_ISA_FLAGS_${isa}})
  if(isa STREQUAL "avx512" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 calls the undefined pass-through operand inside its own intrinsics uninitialised.
    list(APPEND flags -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
  set_source_files_properties("${file}" PROPERTIES COMPILE_OPTIONS "${flags}")
endforeach()
file(GLOB target_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/src/targets/*.cpp")
foreach(file IN LISTS target_sources) # what is no ISA there (a table of tables, say) gets no flags
  cmake_path(GET file STEM stem)
  if(stem IN_LIST VMX_ISAS)
    continue()
  endif()
  file(STRINGS "${VMX_ISA_DEF}" other REGEX "^VMX_ISA\\(${stem},")
  if(NOT other) # else: an ISA of another processor
    target_sources(vastmax_objects PRIVATE "${file}")
  endif()
endforeach()
target_include_directories(vastmax_objects PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/include" "${CMAKE_CURRENT_SOURCE_DIR}/src")
target_compile_definitions(vastmax_objects PRIVATE VMX_BUILDING VMX_WITH_ONEDNN=$<BOOL:${VMX_WITH_ONEDNN}>)
target_link_libraries(vastmax_objects PRIVATE Threads::Threads Xsimd::xsimd $<TARGET_NAME_IF_EXISTS:OneDNN::dnnl>)
vmx_compile_options(vastmax_objects LIBRARY)

set(VMX_LINK_LIBRARIES Threads::Threads)
if(VMX_WITH_ONEDNN)
  list(APPEND VMX_LINK_LIBRARIES OneDNN::dnnl)
endif()

# Arguments common to every library made of the objects.
function(vmx_library target)
  target_include_directories(${target} PUBLIC
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
  if(VMX_SANITIZE)
    target_link_options(${target} PUBLIC -fsanitize=${VMX_SANITIZE})
  endif()
endfunction()

if(VMX_BUILD_SHARED)
  add_library(vastmax SHARED $<TARGET_OBJECTS:vastmax_objects>)
  add_library(vastmax::vastmax ALIAS vastmax)
  vmx_library(vastmax)
  # BUILD_INTERFACE: who links the shared library needs none of what it is made of.
  target_link_libraries(vastmax PRIVATE "$<BUILD_INTERFACE:${VMX_LINK_LIBRARIES}>")
  set_target_properties(vastmax PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(map "${CMAKE_CURRENT_SOURCE_DIR}/capi/exports.map")
    target_link_options(vastmax PRIVATE "LINKER:--version-script=${map}")
    set_target_properties(vastmax PROPERTIES LINK_DEPENDS "${map}")
    if(NOT VMX_SANITIZE)
      target_link_options(vastmax PRIVATE LINKER:-z,defs)
    endif()
  endif()
endif()

if(VMX_BUILD_STATIC)
  add_library(vastmax_static STATIC $<TARGET_OBJECTS:vastmax_objects>)
  add_library(vastmax::vastmax_static ALIAS vastmax_static)
  vmx_library(vastmax_static)
  set_target_properties(vastmax_static PROPERTIES OUTPUT_NAME vastmax)
  target_compile_definitions(vastmax_static INTERFACE VMX_STATIC)
  target_link_libraries(vastmax_static PRIVATE ${VMX_LINK_LIBRARIES})
  # A project in C alone has no C++ compiler to bring its runtime.
  target_link_libraries(vastmax_static INTERFACE $<$<LINK_LANGUAGE:C>:stdc++> $<$<LINK_LANGUAGE:C>:m>)
endif()

if(VMX_BUILD_TESTS OR VMX_BUILD_BENCH OR VMX_BUILD_TOOLS)
  # For those that reach behind the ABI (namespace vmx). The library's headers give other bits under other flags.
  add_library(vastmax_internal STATIC $<TARGET_OBJECTS:vastmax_objects>)
  vmx_library(vastmax_internal)
  target_include_directories(vastmax_internal PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}/src")
  target_compile_definitions(vastmax_internal INTERFACE VMX_STATIC VMX_WITH_ONEDNN=$<BOOL:${VMX_WITH_ONEDNN}>)
  target_link_libraries(vastmax_internal PUBLIC ${VMX_LINK_LIBRARIES} Xsimd::xsimd)
  target_compile_options(vastmax_internal INTERFACE -ffp-contract=off -Wno-psabi)
endif()
