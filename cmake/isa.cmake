# SPDX-License-Identifier: Apache-2.0
# Reads src/targets/isa.def into VMX_ISAS (names, in rising order) and VMX_ISA_FLAGS_<name>. The preprocessor does the
# reading, so that the #if lines of the list hold for CMake and for C++ alike.

set(VMX_ISA_DEF "${CMAKE_CURRENT_SOURCE_DIR}/src/targets/isa.def")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${VMX_ISA_DEF}")

separate_arguments(flags UNIX_COMMAND "${CMAKE_CXX_FLAGS}")
execute_process(COMMAND "${CMAKE_CXX_COMPILER}" ${flags} -E -P -x c++ "${VMX_ISA_DEF}"
  OUTPUT_VARIABLE rows RESULT_VARIABLE failed ERROR_VARIABLE message)
if(failed)
  message(FATAL_ERROR "${VMX_ISA_DEF} cannot be read: ${message}")
endif()

set(VMX_ISAS "")
string(REPLACE ";" " " rows "${rows}") # a semicolon would split the matches below
string(REGEX MATCHALL "VMX_ISA\\([^)]*\\)" rows "${rows}")
foreach(row IN LISTS rows)
  if(NOT row MATCHES "^VMX_ISA\\( *([a-z0-9_]+) *, *\"([^\"]*)\" *\\)$")
    message(FATAL_ERROR "${VMX_ISA_DEF}: not of the form VMX_ISA(name, \"flags\"): ${row}")
  endif()
  set(name "${CMAKE_MATCH_1}")
  separate_arguments(VMX_ISA_FLAGS_${name} UNIX_COMMAND "${CMAKE_MATCH_2}")
  list(APPEND VMX_ISAS ${name})
endforeach()
if(NOT VMX_ISAS)
  message(FATAL_ERROR "${VMX_ISA_DEF} names no ISA")
endif()
list(JOIN VMX_ISAS " " text)
message(STATUS "ISAs: ${text}")
