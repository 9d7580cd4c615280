/* A watch over the size and the shape of the pictures that leave a pad. */
#ifndef UPSCALED_PIPELINE_STEADY_H
#define UPSCALED_PIPELINE_STEADY_H

#include <gst/gst.h>

/* Written on the pad's streaming thread; now_* may be read on any thread once
 * changed is set. */
typedef struct {
  GstPad *pad;
  gulong probe;
  gboolean shown; /* a picture has passed */
  gint width, height, num, den; /* num/den: width of a pixel over its height */
  gint now_width, now_height, now_num, now_den;
  gint changed; /* atomic */
} Steady;

/* Drops everything that leaves a pad from the first picture on that has another
 * size or shape than those before. Free it with the pipeline in NULL. */
Steady *steady_new(void *pad);
gboolean steady_changed(Steady *s);
void steady_free(Steady *s);

#endif
