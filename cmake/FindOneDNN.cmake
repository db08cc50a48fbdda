# SPDX-License-Identifier: Apache-2.0
# OneDNN::dnnl from the header and the library alone. oneDNN's own package file also asks for OpenCL or SYCL headers when
# it was built with a GPU runtime, which vastmax does not use.

find_path(OneDNN_INCLUDE_DIR NAMES dnnl_version.h)
find_library(OneDNN_LIBRARY NAMES dnnl)
mark_as_advanced(OneDNN_INCLUDE_DIR OneDNN_LIBRARY)

if(OneDNN_INCLUDE_DIR)
  # Newer releases keep the numbers in oneapi/dnnl and leave a forwarding header.
  set(_files "${OneDNN_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h" "${OneDNN_INCLUDE_DIR}/dnnl_version.h")
  set(OneDNN_VERSION "")
  foreach(_file IN LISTS _files)
    if(NOT OneDNN_VERSION AND EXISTS "${_file}")
      file(STRINGS "${_file}" _lines REGEX "^#define DNNL_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
      string(REGEX MATCHALL "[0-9]+" _numbers "${_lines}")
      list(JOIN _numbers "." OneDNN_VERSION)
    endif()
  endforeach()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OneDNN REQUIRED_VARS OneDNN_LIBRARY OneDNN_INCLUDE_DIR VERSION_VAR OneDNN_VERSION)

if(OneDNN_FOUND AND NOT TARGET OneDNN::dnnl)
  add_library(OneDNN::dnnl UNKNOWN IMPORTED)
  set_target_properties(OneDNN::dnnl PROPERTIES
    IMPORTED_LOCATION "${OneDNN_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${OneDNN_INCLUDE_DIR}")
endif()
