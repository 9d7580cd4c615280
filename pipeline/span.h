#ifndef UPSCALED_SPAN_H
#define UPSCALED_SPAN_H

#include <gst/gst.h>

/* From when to when the buffers of a pad are, in stream time. Written on the
 * streaming thread, read on any. */
typedef struct {
  GstPad *pad;
  gulong probe;
  gint64 first_ns, last_ns, end_ns; /* begin of the first and of the last buffer, end of all; valid with count > 0 */
  gint64 count;
  gboolean own; /* buffers' own time is taken for stream time; see pad_keep_times */
  gint ended; /* atomic: EOS has come since the last flush */
} Span;

Span *span_new(void *pad, gboolean own);
void span_read(Span *s, gint64 *first_ns, gint64 *last_ns, gint64 *end_ns, gint64 *count, gboolean *ended);
void span_free(Span *s);

gboolean sink_last_ns(void *sink, gboolean own, gint64 *ns);

/* The time of a buffer that is taken for its stream time; FALSE where it has none. */
gboolean own_time(GstClockTime t, gint64 *ns);

/* The stream time of t by the segment of a pad; FALSE where there is none. */
gboolean pad_stream_time(GstPad *pad, GstClockTime t, gint64 *ns);

#endif
