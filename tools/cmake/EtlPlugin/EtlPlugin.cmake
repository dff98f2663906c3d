# How a plugin is built: one module that exports etl_plugin_v1 and nothing else, and has all that it needs.
set(ETL_PLUGIN_MAP "${CMAKE_CURRENT_LIST_DIR}/etl_plugin.map")

# etl_add_plugin(<name> <source>... [LIBS <library>...]): builds <name>.so
function(etl_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBS")
  add_library(${name} MODULE ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE etl::plugin ${arg_LIBS})
  target_compile_features(${name} PRIVATE cxx_std_17)
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX ".so" POSITION_INDEPENDENT_CODE ON
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS "${ETL_PLUGIN_MAP}")
  # Without -fno-gnu-unique, static variables of templates would be one for the whole process.
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  target_link_options(${name} PRIVATE
    -Wl,-z,now,-z,relro,-z,nodelete -Wl,--exclude-libs,ALL "-Wl,--version-script=${ETL_PLUGIN_MAP}")
  # A missing library shall fail here, not at run time.  Sanitizers leave their runtime to the host's executable.
  get_directory_property(options COMPILE_OPTIONS)
  if(NOT "${options} ${CMAKE_CXX_FLAGS} ${CMAKE_C_FLAGS}" MATCHES "-fsanitize=")
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
endfunction()

# etl_install_plugin(<name>): to where an etl installed below the same prefix looks for plugins
function(etl_install_plugin name)
  install(TARGETS ${name} LIBRARY DESTINATION ${EtlPlugin_PLUGIN_DIR})
endfunction()
