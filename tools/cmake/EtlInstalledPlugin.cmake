# etl_add_installed_plugin(<name>): builds <name>/ as a third party would: a project of its own, which sees the
# installed package and nothing else of this tree.
include(ExternalProject)
set(etl_stage ${PROJECT_BINARY_DIR}/stage)

file(GLOB_RECURSE etl_package_files CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/framework/include/etl/* ${PROJECT_SOURCE_DIR}/tools/cmake/EtlPlugin/*)
add_custom_command(OUTPUT ${etl_stage}/.done
  COMMAND ${CMAKE_COMMAND} --install ${PROJECT_BINARY_DIR} --component plugin-sdk --prefix ${etl_stage}
  COMMAND ${CMAKE_COMMAND} -E touch ${etl_stage}/.done
  DEPENDS ${etl_package_files} COMMENT "Installing the plugin package to stage" VERBATIM)
add_custom_target(etl_stage DEPENDS ${etl_stage}/.done)

function(etl_add_installed_plugin name)
  set(flags "-Wall -Wextra -Wpedantic -Wconversion -Wno-sign-conversion -Werror")
  if(ETL_SANITIZE)
    string(APPEND flags " -fsanitize=${ETL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all")
  endif()
  set(library ${PROJECT_BINARY_DIR}/${EtlPlugin_PLUGIN_DIR}/${name}.so)
  ExternalProject_Add(${name}
    DEPENDS etl_stage
    SOURCE_DIR ${CMAKE_CURRENT_SOURCE_DIR}/${name}
    BINARY_DIR ${PROJECT_BINARY_DIR}/plugins/${name}
    PREFIX ${PROJECT_BINARY_DIR}/plugins/${name}-project
    CMAKE_ARGS
      -DCMAKE_PREFIX_PATH=${etl_stage}
      -DCMAKE_BUILD_TYPE=${CMAKE_BUILD_TYPE}
      -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}
      -DCMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER}
      -DCMAKE_CXX_FLAGS=${flags}
      -DCMAKE_CXX_FLAGS_DEBUG=${CMAKE_CXX_FLAGS_DEBUG}
      -DCMAKE_MODULE_LINKER_FLAGS=${ETL_LINKER_FLAGS}
      -DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${PROJECT_BINARY_DIR}/${EtlPlugin_PLUGIN_DIR}
    BUILD_ALWAYS ON
    BUILD_BYPRODUCTS ${library}
    INSTALL_COMMAND "")
  install(PROGRAMS ${library} DESTINATION ${EtlPlugin_PLUGIN_DIR})
endfunction()
