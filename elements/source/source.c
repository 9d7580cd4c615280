#include "source.h"

#include <gst/base/gstbasesrc.h>
#include <stdlib.h>

#include "_cgo_export.h"

typedef struct {
  GstBaseSrc parent;
  guintptr go; /* the handle of the Go half; freed in finalize */
} GstReaderSrc;

typedef struct {
  GstBaseSrcClass parent;
} GstReaderSrcClass;

GType gst_reader_src_get_type(void);
G_DEFINE_TYPE(GstReaderSrc, gst_reader_src, GST_TYPE_BASE_SRC)
#define READER_SRC(o) ((GstReaderSrc *)(o))

/* Bytes that are read at once of what is pushed. A small packet that waits in a queue
 * keeps the block that it came in, so blocks are not large. */
#define PUSHED 16384

static GstFlowReturn
fill(GstBaseSrc *base, guint64 offset, guint length, GstBuffer *buffer)
{
  char *sentence = NULL;
  GstMapInfo map;
  gint64 n;

  if (!gst_buffer_map(buffer, &map, GST_MAP_WRITE)) {
    GST_ELEMENT_ERROR(base, RESOURCE, READ, ("a buffer cannot be written to"), (NULL));
    return GST_FLOW_ERROR;
  }
  n = goSourceFill(READER_SRC(base)->go, (gint64)offset, map.data, MIN(length, map.size), &sentence);
  gst_buffer_unmap(buffer, &map);
  if (n == SOURCE_FLUSHING)
    return GST_FLOW_FLUSHING;
  if (n == SOURCE_FAILED) {
    GST_ELEMENT_ERROR(base, RESOURCE, READ, ("%s", sentence), (NULL));
    free(sentence);
    return GST_FLOW_ERROR;
  }
  if (n == 0 && length > 0)
    return GST_FLOW_EOS;
  gst_buffer_resize(buffer, 0, n);
  GST_BUFFER_OFFSET(buffer) = offset;
  GST_BUFFER_OFFSET_END(buffer) = offset + n;
  return GST_FLOW_OK;
}

static gboolean
get_size(GstBaseSrc *base, guint64 *size)
{
  gint64 n = goSourceSize(READER_SRC(base)->go);

  *size = (guint64)n;
  return n >= 0;
}

/* One of no known size is read from begin to end. */
static gboolean
is_seekable(GstBaseSrc *base)
{
  return goSourceSize(READER_SRC(base)->go) >= 0;
}

/* Demuxers name streams after the address of what they read, and at random where
 * there is none: a film's streams are to be called the same every time. */
static gboolean
query(GstBaseSrc *base, GstQuery *q)
{
  if (GST_QUERY_TYPE(q) != GST_QUERY_URI)
    return GST_BASE_SRC_CLASS(gst_reader_src_parent_class)->query(base, q);
  gst_query_set_uri(q, "reader:film");
  return TRUE;
}

static gboolean
unlock(GstBaseSrc *base)
{
  goSourceUnlock(READER_SRC(base)->go);
  return TRUE;
}

static gboolean
unlock_stop(GstBaseSrc *base)
{
  goSourceUnlockStop(READER_SRC(base)->go);
  return TRUE;
}

static gboolean
start(GstBaseSrc *base)
{
  goSourceUnlockStop(READER_SRC(base)->go);
  if (goSourceSize(READER_SRC(base)->go) != SOURCE_NOTHING) {
    gst_base_src_set_blocksize(base, is_seekable(base) ? 4096 : PUSHED);
    return TRUE;
  }
  GST_ELEMENT_ERROR(base, RESOURCE, NOT_FOUND, ("there is nothing to read from"), (NULL));
  return FALSE;
}

static void
finalize(GObject *object)
{
  goSourceFree(READER_SRC(object)->go);
  G_OBJECT_CLASS(gst_reader_src_parent_class)->finalize(object);
}

static void
gst_reader_src_init(GstReaderSrc *self)
{
  self->go = goSourceNew();
  gst_base_src_set_format(GST_BASE_SRC(self), GST_FORMAT_BYTES);
  gst_base_src_set_dynamic_size(GST_BASE_SRC(self), FALSE);
}

static void
gst_reader_src_class_init(GstReaderSrcClass *klass)
{
  GstElementClass *element = GST_ELEMENT_CLASS(klass);
  GstBaseSrcClass *base = GST_BASE_SRC_CLASS(klass);
  GstCaps *any = gst_caps_new_any();

  G_OBJECT_CLASS(klass)->finalize = finalize;
  base->fill = fill;
  base->get_size = get_size;
  base->is_seekable = is_seekable;
  base->query = query;
  base->unlock = unlock;
  base->unlock_stop = unlock_stop;
  base->start = start;
  gst_element_class_set_static_metadata(element, "Reader source", "Source", "Reads what its process was given to read",
      "the upscaled authors");
  gst_element_class_add_pad_template(element, gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, any));
  gst_caps_unref(any);
}

gboolean
source_register(void)
{
  GstElementFactory *factory;

  if (!gst_element_register(NULL, "readersrc", GST_RANK_NONE, gst_reader_src_get_type()))
    return FALSE;
  /* The registry keeps it to the end; the leaks tracer is to know. */
  factory = gst_element_factory_find("readersrc");
  GST_OBJECT_FLAG_SET(factory, GST_OBJECT_FLAG_MAY_BE_LEAKED);
  gst_object_unref(factory);
  return TRUE;
}

/* Returns the handle of the Go half of an element, 0 when it is another's. */
guintptr
source_handle(void *element)
{
  return G_TYPE_CHECK_INSTANCE_TYPE(element, gst_reader_src_get_type()) ? READER_SRC(element)->go : 0;
}
