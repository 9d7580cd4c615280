// leak_live describes every traced object that is alive, one a line: its type, what GStreamer prints of
// it, and its count of references. What the registry keeps is not named. It returns NULL when the leaks
// tracer is not active; what it returns is to be freed with g_free. GStreamer's log is silent meanwhile.
char *leak_live(void);
