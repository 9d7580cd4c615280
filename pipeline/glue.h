/* What go-gst lacks, or would do with an allocation per buffer: counting
 * buffers, reading tags and errors, editing subtitle text. Every pointer to a
 * pad, element or message is borrowed for the call unless it says otherwise. */
#ifndef UPSCALED_PIPELINE_GLUE_H
#define UPSCALED_PIPELINE_GLUE_H

#include <gst/gst.h>

/* Counts the buffers that pass a pad. Holds a reference to the pad until
 * counter_free. count and end_ns are read and written atomically. */
typedef struct {
  GstPad *pad;
  gulong probe;
  gint64 count;
  gint64 end_ns; /* running time at which the furthest buffer ends, -1 before the first */
} Counter;

Counter *counter_new(void *pad);
gint64 counter_count(Counter *c);
gint64 counter_end_ns(Counter *c);
void counter_free(Counter *c);

/* A GstMessage of type ERROR or WARNING. The strings belong to the caller,
 * who frees them with g_free. */
typedef struct {
  char *domain; /* CORE, LIBRARY, RESOURCE, STREAM or another quark's name */
  int code;
  char *text, *debug, *path, *factory;
} Failure;

void failure_parse(void *message, Failure *out);
void failure_clear(Failure *f);

/* Returns the first value of a tag among the sticky tag events of a pad, as a
 * string to be freed with g_free, or NULL. */
char *pad_tag(void *pad, const char *tag);

/* Returns the caps of a source pad of parsebin, serialised, to be freed with
 * g_free; NULL when nothing is known of them. A parser names its caps with its
 * first buffer; until then those that it was given are returned. */
char *pad_caps(void *pad);

/* Reports whether some pad in a bin has a thread that runs. Where none has,
 * nothing will happen any more. */
gboolean bin_runs(void *bin);

/* Returns the names of the factories of the parsers and decoders in a bin, in
 * the order in which data passes them, separated by spaces; to be freed with
 * g_free. */
char *bin_codecs(void *bin);

/* Swallows everything that comes to a source pad, which needs no peer then. */
void pad_discard(void *pad);

/* Keeps flush events from passing a pad, for as long as the pad lives. */
void pad_drop_flushes(void *pad);

/* Blocks a pad before the first event or buffer; returns the id for pad_unblock. */
gulong pad_block(void *pad);
void pad_unblock(void *pad, gulong id);

/* Sends an accurate flushing seek upstream from a source pad. stop_ns -1: to the end. */
gboolean pad_seek(void *pad, gint64 start_ns, gint64 stop_ns);

/* Turns the Pango markup of text buffers that pass a pad into plain UTF-8
 * with the tags of SubRip. The caps are left as they are. */
void pad_markup_to_subrip(void *pad);

/* Reports whether some sink pad of an element factory takes the caps. */
gboolean factory_takes(const char *factory, const char *caps);

/* Sets a property from its serialised value. FALSE: no such property, or the
 * value cannot be read. */
gboolean element_set(void *element, const char *property, const char *value);

#endif
