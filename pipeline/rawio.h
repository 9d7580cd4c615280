/* Raw pictures and sound across the border between Go and a pipeline, without
 * wrappers whose finalizers run at a time of their own. */
#ifndef UPSCALED_PIPELINE_RAWIO_H
#define UPSCALED_PIPELINE_RAWIO_H

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/video/video.h>

/* Copies n bytes into a buffer and pushes it into an appsrc, waiting while its
 * queue is full. FALSE: it is flushing or at its end. */
gboolean rawio_push(void *appsrc, const void *data, gsize n, guint64 pts_ns, guint64 duration_ns);
void rawio_end(void *appsrc);

/* A picture taken from an appsink and mapped for reading until rawio_release. */
typedef struct {
  GstSample *sample;
  GstVideoFrame frame;
  void *data[3];
  int stride[3], rows[3], planes;
  const char *format;
  int width, height;
  guint64 pts_ns; /* running time, GST_CLOCK_TIME_NONE if there is none */
} RawPicture;

/* 1: a picture, to be released; 0: none within the time; -1: no more will come. */
int rawio_pull(void *appsink, guint64 timeout_ns, RawPicture *out);
void rawio_release(RawPicture *p);

#endif
