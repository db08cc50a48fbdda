# SPDX-License-Identifier: Apache-2.0
# Xsimd::xsimd from the headers alone. xsimd's own package file, as Debian builds it, drags in xtl, which vastmax does not
# use, and refuses a newer major version than the one asked for.

find_path(Xsimd_INCLUDE_DIR NAMES xsimd/xsimd.hpp)
mark_as_advanced(Xsimd_INCLUDE_DIR)
set(Xsimd_VERSION "")
if(Xsimd_INCLUDE_DIR)
  file(STRINGS "${Xsimd_INCLUDE_DIR}/xsimd/config/xsimd_config.hpp" _lines
    REGEX "^#define XSIMD_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
  string(REGEX MATCHALL "[0-9]+" _numbers "${_lines}")
  list(JOIN _numbers "." Xsimd_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Xsimd REQUIRED_VARS Xsimd_INCLUDE_DIR VERSION_VAR Xsimd_VERSION)

if(Xsimd_FOUND AND NOT TARGET Xsimd::xsimd)
  add_library(Xsimd::xsimd INTERFACE IMPORTED)
  set_target_properties(Xsimd::xsimd PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${Xsimd_INCLUDE_DIR}")
endif()
