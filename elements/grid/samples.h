#ifndef UPSCALED_SAMPLES_H
#define UPSCALED_SAMPLES_H

#include <gst/gst.h>

/* What a samplegrid goes by. */
typedef struct {
  gint64 origin;      /* stream time at which the film is at 0, ns */
  guint64 first, end; /* samples of the film's time: the first that comes out, and the one behind the last */
} SamplesPlan;

gboolean samples_register(void);
gboolean samples_set(void *element, const SamplesPlan *plan);

#endif
