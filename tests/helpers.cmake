# SPDX-License-Identifier: Apache-2.0
# How tests are declared. Labels that mean something:
#   bits      checks committed bits or hashes; also run as built by Clang
#   sanitize  also run under the address and undefined-behaviour sanitizers (short: seconds there)
#   threads   also run under the thread sanitizer
#   slow      left out unless asked for: scripts/slow_tests.sh

# Sets <out> to whether a test with these labels is built, or registered, in this build.
function(_vmx_wanted out filter)
  if(NOT filter OR filter IN_LIST ARGN)
    set(${out} TRUE PARENT_SCOPE)
  else()
    set(${out} FALSE PARENT_SCOPE)
  endif()
endfunction()

function(_vmx_register name labels timeout processors)
  list(POP_FRONT ARGN) # the word COMMAND
  set(command ${ARGN})
  if("slow" IN_LIST labels)
    # A configuration that plain ctest never names.
    add_test(NAME "${name}" COMMAND ${command} CONFIGURATIONS slow)
  else()
    add_test(NAME "${name}" COMMAND ${command})
  endif()
  set_tests_properties("${name}" PROPERTIES LABELS "${labels}" TIMEOUT ${timeout} PROCESSORS ${processors}
    ENVIRONMENT "ASAN_OPTIONS=allocator_may_return_null=1;UBSAN_OPTIONS=print_stacktrace=1;TSAN_OPTIONS=halt_on_error=1"
    ENVIRONMENT_MODIFICATION "VASTMAX_ISA=unset:")
endfunction()

# vmx_add_test(name SOURCES file... [LABELS label...] [TIMEOUT seconds] [SHARDS n] [PROCESSORS n] [LIBRARIES target...])
# A GoogleTest executable test_<name> (dots become underscores), linked to the library's internals and the oracle.
# SHARDS cuts it into n entries of ctest that may run side by side. PROCESSORS: how many cores it keeps busy.
function(vmx_add_test name)
  cmake_parse_arguments(arg "" "TIMEOUT;SHARDS;PROCESSORS" "SOURCES;LABELS;LIBRARIES" ${ARGN})
  _vmx_wanted(build "${VMX_TEST_LABEL}" ${arg_LABELS})
  if(NOT build)
    return()
  endif()
  foreach(default TIMEOUT:600 SHARDS:1 PROCESSORS:1)
    string(REPLACE ":" ";" default "${default}")
    list(GET default 0 key)
    if(NOT arg_${key})
      list(GET default 1 arg_${key})
    endif()
  endforeach()

  string(REPLACE "." "_" target "test_${name}")
  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE vmx_reference ${arg_LIBRARIES} GTest::gtest_main)
  vmx_compile_options(${target})

  _vmx_wanted(register "${VMX_TEST_REGISTER_LABEL}" ${arg_LABELS})
  if(NOT register)
    return()
  endif()
  set(command "$<TARGET_FILE:${target}>" --gtest_brief=1)
  if(VMX_SANITIZE MATCHES "thread")
    list(PREPEND command "${PROJECT_SOURCE_DIR}/tests/run_tsan.sh")
  endif()
  set(full "${VMX_TEST_PREFIX}${name}")
  if(arg_SHARDS EQUAL 1)
    _vmx_register("${full}" "${arg_LABELS}" ${arg_TIMEOUT} ${arg_PROCESSORS} COMMAND ${command})
    return()
  endif()
  foreach(i RANGE 1 ${arg_SHARDS})
    math(EXPR index "${i} - 1")
    _vmx_register("${full}.${i}" "${arg_LABELS}" ${arg_TIMEOUT} ${arg_PROCESSORS} COMMAND ${command})
    set_property(TEST "${full}.${i}" APPEND PROPERTY
      ENVIRONMENT GTEST_TOTAL_SHARDS=${arg_SHARDS} GTEST_SHARD_INDEX=${index})
  endforeach()
endfunction()

# One executable of one file unit/test_<name>.cpp, as test unit.<name>. Settings stand in the file's first 20 lines:
#   // ctest-labels: bits sanitize
#   // ctest-timeout: 900
#   // ctest-shards: 4
#   // ctest-processors: 2
function(vmx_add_test_file file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  file(STRINGS "${file}" lines LIMIT_COUNT 20 REGEX "^// ctest-[a-z]+:")
  set(arguments LABELS unit)
  foreach(line IN LISTS lines)
    if(NOT line MATCHES "^// ctest-(labels|timeout|shards|processors): *([a-z0-9 ]+)$")
      message(FATAL_ERROR "${file}: not understood: ${line}")
    endif()
    set(key "${CMAKE_MATCH_1}")
    separate_arguments(values UNIX_COMMAND "${CMAKE_MATCH_2}")
    if(key STREQUAL "labels")
      foreach(value IN LISTS values)
        if(NOT value MATCHES "^(bits|sanitize|threads|slow)$")
          message(FATAL_ERROR "${file}: unknown label ${value}")
        endif()
      endforeach()
      list(APPEND arguments ${values})
    else()
      string(TOUPPER "${key}" key)
      list(APPEND later ${key} ${values})
    endif()
  endforeach()
  cmake_path(GET file STEM name)
  string(REGEX REPLACE "^test_" "" name "${name}")
  vmx_add_test("unit.${name}" SOURCES "${file}" ${arguments} ${later})
endfunction()

# vmx_add_script_test(name LABELS label... [TIMEOUT seconds] COMMAND ...): a test that is no GoogleTest executable.
function(vmx_add_script_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "LABELS;COMMAND" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 600)
  endif()
  _vmx_wanted(build "${VMX_TEST_LABEL}" ${arg_LABELS})
  _vmx_wanted(register "${VMX_TEST_REGISTER_LABEL}" ${arg_LABELS})
  if(build AND register)
    _vmx_register("${VMX_TEST_PREFIX}${name}" "${arg_LABELS}" ${arg_TIMEOUT} 1 COMMAND ${arg_COMMAND})
  endif()
endfunction()
