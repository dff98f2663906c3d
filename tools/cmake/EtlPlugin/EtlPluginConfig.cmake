# find_package(EtlPlugin 1 CONFIG REQUIRED): the target etl::plugin (headers), etl_add_plugin, etl_install_plugin.
get_filename_component(EtlPlugin_PREFIX "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(EtlPlugin_PLUGIN_DIR lib/etl/plugins/1)

if(NOT TARGET etl::plugin)
  add_library(etl::plugin INTERFACE IMPORTED)
  target_include_directories(etl::plugin INTERFACE "${EtlPlugin_PREFIX}/include")
endif()
include("${CMAKE_CURRENT_LIST_DIR}/EtlPlugin.cmake")
