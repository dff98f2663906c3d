#include <etl/plugin.h>
int main(void) { return ETL_OK; }
