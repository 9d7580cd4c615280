#ifndef UPSCALED_SOURCE_H
#define UPSCALED_SOURCE_H

#include <gst/gst.h>

/* What goSourceFill returns beside a number of bytes. */
#define SOURCE_FAILED (-1)
#define SOURCE_FLUSHING (-2)

/* What goSourceSize returns beside a number of bytes; -1 is Unknown. */
#define SOURCE_NOTHING (-2)

gboolean source_register(void);
guintptr source_handle(void *element);

#endif
