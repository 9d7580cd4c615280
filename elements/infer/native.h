// What the binding lacks: the version of a library before it is put to use,
// and the signal handlers around a provider that replaces them.
#ifndef INFER_NATIVE_H
#define INFER_NATIVE_H

#include <signal.h>

// Linux has signals 1 to 64.
#define INFER_SIGNALS 65

struct infer_signals {
	struct sigaction action[INFER_SIGNALS];
	int known[INFER_SIGNALS];
};

// infer_library_version loads the library at path, which stays loaded, and
// returns ONNX Runtime's own static version string; on failure NULL and in
// *problem a static or thread-local message.
const char *infer_library_version(const char *path, const char **problem);

// infer_save_signals notes the action of every signal.
void infer_save_signals(struct infer_signals *s);

// infer_restore_signals puts back each noted handler that ran on the signal
// stack and has been replaced by one that does not. It returns how many.
int infer_restore_signals(const struct infer_signals *s);

// infer_name_thread names the calling thread, as prctl(2) PR_SET_NAME does.
void infer_name_thread(const char *name);

#endif
