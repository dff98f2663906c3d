# Warnings and sanitizers of the project's own targets.
add_library(etl_warnings INTERFACE)
target_compile_options(etl_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Werror $<$<COMPILE_LANGUAGE:CXX>:-Wconversion -Wno-sign-conversion>)
if(ETL_SANITIZE)
  add_compile_options(-fsanitize=${ETL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ETL_SANITIZE})
endif()
# gcc 12 sees overlapping copies in std::string where there are none (https://gcc.gnu.org/PR105651).
target_compile_options(etl_warnings INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>)
# Instrumented code looks uninitialised to gcc 12 where it is not (std::regex, https://gcc.gnu.org/PR105562).
if(ETL_SANITIZE)
  target_compile_options(etl_warnings INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>)
endif()
