/* A library that is no plugin. */
int harmless(void);
int harmless(void) { return 1; }
