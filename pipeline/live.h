/* What a live stream needs of pads: a bound on how long its pictures wait, times that
 * an encoder takes, and word of caps. Pads and elements are borrowed for the call
 * unless it says otherwise. */
#ifndef UPSCALED_PIPELINE_LIVE_H
#define UPSCALED_PIPELINE_LIVE_H

#include <gst/gst.h>

/* Bounds how long buffers wait in a queue, and counts those that it lets go and those
 * that a leaky queue has let go by itself. The newest always passes. */
typedef struct {
  GstPad *in, *out; /* of the queue */
  gulong in_probe, out_probe;
  gint64 limit_us;
  gboolean by_key;     /* compressed pictures: what is let go ends before a key frame */
  gint64 came, keys;   /* atomic: buffers and key frames that came */
  gint64 dropped;      /* atomic */
  /* Used on the thread behind the queue. */
  gint64 next;         /* number of the buffer that is due */
  gint64 keys_gone;
  gint64 late_since_us; /* 0: what goes is not late */
  gboolean skipping;   /* at first, too: nothing can be decoded before a key frame */
} Lag;

Lag *lag_new(void *queue, gint64 limit_us, gboolean by_key);
gint64 lag_dropped(Lag *l);
void lag_free(Lag *l);

/* Calls goLiveCaps with the caps of a source pad, before they go on. */
void pad_tell_caps(void *pad, guintptr handle);

/* Has goLiveStraighten give the packets of a pad their times. */
void pad_straighten(void *pad, guintptr handle);

/* Has goLivePicture give the pictures that go into an encoder their times. */
void pad_live_times(void *encoder_sink_pad, guintptr handle);

/* Has the decoders that a bin adds hold no picture back. */
void bin_low_delay(void *bin);

/* Sends the end of the stream into a sink pad, behind what was pushed before. */
void pad_send_end(void *sink_pad);

/* Reports whether the stream collection of a pad lists a stream of sound. */
gboolean pad_lists_sound(void *pad);

#endif
