# Faster builds where the machine offers them: ccache before the compiler, mold or lld as the linker.
find_program(ETL_CCACHE ccache)
if(ETL_CCACHE)
  foreach(language C CXX)
    if(NOT DEFINED CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER ${ETL_CCACHE})
    endif()
  endforeach()
endif()

find_program(ETL_LINKER NAMES mold ld.lld)
if(ETL_LINKER)
  get_filename_component(etl_linker ${ETL_LINKER} NAME)
  string(REGEX REPLACE "^ld\\." "" etl_linker ${etl_linker})
  set(ETL_LINKER_FLAGS -fuse-ld=${etl_linker})
  add_link_options(${ETL_LINKER_FLAGS})
endif()

# The objects of a link-time optimised build carry plain code too: tests link that, in a tenth of the time.
if(CMAKE_INTERPROCEDURAL_OPTIMIZATION AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(CMAKE_CXX_COMPILE_OPTIONS_IPO -flto=auto -ffat-lto-objects)
  set(CMAKE_C_COMPILE_OPTIONS_IPO -flto=auto -ffat-lto-objects)
endif()
