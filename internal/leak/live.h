// leak_live describes every traced object that is alive, one a line: its type, its count of
// references and, for an element or a pad, its name. It returns NULL when the leaks tracer is not
// active; what it returns is to be freed with g_free.
char *leak_live(void);
