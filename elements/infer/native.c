#include "native.h"

#include <dlfcn.h>
#include <stddef.h>
#include <sys/prctl.h>

// The head of OrtApiBase in onnxruntime_c_api.h: the part of ONNX Runtime's
// interface that is the same in every version.
struct api_base {
	const void *(*get_api)(unsigned version);
	const char *(*get_version_string)(void);
};

const char *infer_library_version(const char *path, const char **problem)
{
	void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (!library) {
		*problem = dlerror();
		return NULL;
	}
	const struct api_base *(*get_base)(void) = (const struct api_base *(*)(void))dlsym(library, "OrtGetApiBase");
	const struct api_base *base = get_base ? get_base() : NULL;
	if (!base) {
		*problem = "the library is not ONNX Runtime: it has no OrtGetApiBase";
		dlclose(library);
		return NULL;
	}
	return base->get_version_string();
}

void infer_save_signals(struct infer_signals *s)
{
	for (int n = 1; n < INFER_SIGNALS; n++)
		s->known[n] = sigaction(n, NULL, &s->action[n]) == 0;
}

int infer_restore_signals(const struct infer_signals *s)
{
	int restored = 0;
	for (int n = 1; n < INFER_SIGNALS; n++) {
		struct sigaction now;
		if (!s->known[n] || !(s->action[n].sa_flags & SA_ONSTACK) || sigaction(n, NULL, &now) != 0)
			continue;
		if (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN && !(now.sa_flags & SA_ONSTACK))
			restored += sigaction(n, &s->action[n], NULL) == 0;
	}
	return restored;
}

void infer_name_thread(const char *name)
{
	prctl(PR_SET_NAME, name, 0, 0, 0);
}
