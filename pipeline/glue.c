#include "glue.h"

#include <string.h>

static GstPadProbeReturn
count_buffer(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Counter *c = data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  GstEvent *event;
  GstClockTime end = GST_BUFFER_PTS(buffer);

  __atomic_add_fetch(&c->count, 1, __ATOMIC_RELAXED);
  if (!GST_CLOCK_TIME_IS_VALID(end))
    return GST_PAD_PROBE_OK;
  if (GST_BUFFER_DURATION_IS_VALID(buffer))
    end += GST_BUFFER_DURATION(buffer);
  event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
  if (event != NULL) {
    const GstSegment *segment;
    gint64 running;

    gst_event_parse_segment(event, &segment);
    running = segment->format != GST_FORMAT_TIME
        ? -1 /* of bytes */
        : (gint64)gst_segment_to_running_time(segment, GST_FORMAT_TIME, MIN(end, segment->stop));
    gst_event_unref(event);
    if (running > __atomic_load_n(&c->end_ns, __ATOMIC_RELAXED))
      __atomic_store_n(&c->end_ns, running, __ATOMIC_RELAXED);
  }
  return GST_PAD_PROBE_OK;
}

Counter *
counter_new(void *pad)
{
  Counter *c = g_new0(Counter, 1);

  c->pad = gst_object_ref(pad);
  c->end_ns = -1;
  c->probe = gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, count_buffer, c, NULL);
  return c;
}

gint64
counter_count(Counter *c)
{
  return __atomic_load_n(&c->count, __ATOMIC_RELAXED);
}

gint64
counter_end_ns(Counter *c)
{
  return __atomic_load_n(&c->end_ns, __ATOMIC_RELAXED);
}

void
counter_free(Counter *c)
{
  gst_pad_remove_probe(c->pad, c->probe);
  gst_object_unref(c->pad);
  g_free(c);
}

void
failure_parse(void *message, Failure *out)
{
  GstMessage *m = message;
  GError *err = NULL;
  const GstStructure *details = NULL;

  memset(out, 0, sizeof *out);
  if (GST_MESSAGE_TYPE(m) == GST_MESSAGE_ERROR) {
    gst_message_parse_error(m, &err, &out->debug);
    gst_message_parse_error_details(m, &details);
    if (details != NULL)
      gst_structure_get_int(details, "flow-return", &out->flow);
  } else
    gst_message_parse_warning(m, &err, &out->debug);
  if (err->domain == GST_CORE_ERROR)
    out->domain = g_strdup("CORE");
  else if (err->domain == GST_LIBRARY_ERROR)
    out->domain = g_strdup("LIBRARY");
  else if (err->domain == GST_RESOURCE_ERROR)
    out->domain = g_strdup("RESOURCE");
  else if (err->domain == GST_STREAM_ERROR)
    out->domain = g_strdup("STREAM");
  else
    out->domain = g_strdup(g_quark_to_string(err->domain));
  out->code = err->code;
  out->text = g_strdup(err->message);
  out->path = GST_MESSAGE_SRC(m) ? gst_object_get_path_string(GST_MESSAGE_SRC(m)) : g_strdup("");
  if (GST_IS_ELEMENT(GST_MESSAGE_SRC(m)) && gst_element_get_factory(GST_ELEMENT(GST_MESSAGE_SRC(m))) != NULL)
    out->factory = g_strdup(GST_OBJECT_NAME(gst_element_get_factory(GST_ELEMENT(GST_MESSAGE_SRC(m)))));
  g_error_free(err);
}

void
failure_clear(Failure *f)
{
  g_free(f->domain);
  g_free(f->text);
  g_free(f->debug);
  g_free(f->path);
  g_free(f->factory);
}

char *
pad_tag(void *pad, const char *tag)
{
  char *found = NULL;
  GstEvent *event;
  guint i;

  for (i = 0; found == NULL && (event = gst_pad_get_sticky_event(pad, GST_EVENT_TAG, i)) != NULL; i++) {
    GstTagList *tags;

    gst_event_parse_tag(event, &tags);
    gst_tag_list_get_string(tags, tag, &found);
    gst_event_unref(event);
  }
  return found;
}

gboolean
pad_has_tag(void *pad, const char *tag)
{
  gboolean found = FALSE;
  GstEvent *event;
  guint i;

  for (i = 0; !found && (event = gst_pad_get_sticky_event(pad, GST_EVENT_TAG, i)) != NULL; i++) {
    GstTagList *tags;

    gst_event_parse_tag(event, &tags);
    found = gst_tag_list_get_tag_size(tags, tag) > 0;
    gst_event_unref(event);
  }
  return found;
}

/* Returns the pad that feeds the parser behind a source pad, NULL at the end of
 * the way. Takes the reference to pad. */
static GstPad *
before(GstPad *pad)
{
  GstPad *up = NULL;

  if (GST_IS_GHOST_PAD(pad)) {
    up = gst_ghost_pad_get_target(GST_GHOST_PAD(pad));
  } else {
    GstElement *parent = gst_pad_get_parent_element(pad);

    if (parent != NULL) {
      GstPad *sink = gst_element_get_static_pad(parent, "sink");

      if (sink != NULL) {
        up = gst_pad_get_peer(sink);
        gst_object_unref(sink);
      }
      gst_object_unref(parent);
    }
  }
  gst_object_unref(pad);
  return up;
}

char *
pad_caps(void *p)
{
  char *text = NULL;
  GstPad *pad = gst_object_ref(p);

  while (text == NULL && pad != NULL) {
    GstCaps *caps = gst_pad_get_current_caps(pad);

    if (caps != NULL) {
      text = gst_caps_to_string(caps);
      gst_caps_unref(caps);
    }
    pad = before(pad);
  }
  if (pad != NULL)
    gst_object_unref(pad);
  return text;
}

gint64
pad_begin_ns(void *pad, gint64 *ahead_ns)
{
  GstEvent *event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
  const GstSegment *segment;
  gint64 begin = 0;

  *ahead_ns = 0;
  if (event == NULL)
    return 0;
  gst_event_parse_segment(event, &segment);
  if (segment->format == GST_FORMAT_TIME && GST_CLOCK_TIME_IS_VALID(segment->time)) {
    begin = (gint64)segment->time;
    *ahead_ns = (gint64)segment->start - begin;
  }
  gst_event_unref(event);
  return begin;
}

static gboolean
pad_runs(GstElement *element, GstPad *pad, gpointer runs)
{
  (void)element;
  if (gst_pad_get_task_state(pad) == GST_TASK_STARTED)
    *(gboolean *)runs = TRUE;
  return TRUE;
}

static void
element_runs(const GValue *item, gpointer runs)
{
  gst_element_foreach_pad(GST_ELEMENT(g_value_get_object(item)), pad_runs, runs);
}

gboolean
bin_runs(void *bin)
{
  gboolean runs = FALSE;
  GstIterator *it = gst_bin_iterate_recurse(GST_BIN(bin));

  while (gst_iterator_foreach(it, element_runs, &runs) == GST_ITERATOR_RESYNC)
    gst_iterator_resync(it);
  gst_iterator_free(it);
  return runs;
}

typedef struct {
  GString *names;
  const char *kinds[2];
} Factories;

static void
prepend_factory(const GValue *item, gpointer data)
{
  Factories *f = data;
  GstElementFactory *factory = gst_element_get_factory(GST_ELEMENT(g_value_get_object(item)));
  const char *class = factory ? gst_element_factory_get_metadata(factory, GST_ELEMENT_METADATA_KLASS) : NULL;

  if (class == NULL || !(strstr(class, f->kinds[0]) != NULL || strstr(class, f->kinds[1]) != NULL))
    return;
  g_string_prepend_c(f->names, ' ');
  g_string_prepend(f->names, GST_OBJECT_NAME(factory));
}

char *
bin_factories(void *bin, const char *kind, const char *or_kind)
{
  Factories f = {g_string_new(NULL), {kind, or_kind}};
  GstIterator *it = gst_bin_iterate_sorted(GST_BIN(bin)); /* from the sinks up */

  while (gst_iterator_foreach(it, prepend_factory, &f) == GST_ITERATOR_RESYNC) {
    gst_iterator_resync(it);
    g_string_truncate(f.names, 0);
  }
  gst_iterator_free(it);
  return g_string_free(f.names, FALSE);
}

static GstPadProbeReturn
drop(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  (void)pad, (void)info, (void)data;
  return GST_PAD_PROBE_DROP;
}

void
pad_discard(void *pad)
{
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_DATA_DOWNSTREAM, drop, NULL, NULL);
}

static GstPadProbeReturn
hold(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  (void)pad, (void)info, (void)data;
  return GST_PAD_PROBE_OK; /* of a blocking probe: it stays blocked */
}

gulong
pad_hold(void *pad)
{
  return gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER, hold, NULL, NULL);
}

void
pad_release(void *pad, gulong id)
{
  gst_pad_remove_probe(pad, id);
}

static GstPadProbeReturn
wait_for_seek(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  (void)pad, (void)data;
  if (info->type & GST_PAD_PROBE_TYPE_BUFFER)
    return GST_PAD_PROBE_DROP;
  switch (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info))) {
  case GST_EVENT_FLUSH_STOP:
    gst_pad_remove_probe(pad, GST_PAD_PROBE_INFO_ID(info));
    return GST_PAD_PROBE_DROP;
  case GST_EVENT_FLUSH_START:
  case GST_EVENT_SEGMENT:
  case GST_EVENT_GAP:
  case GST_EVENT_EOS:
    return GST_PAD_PROBE_DROP;
  default:
    return GST_PAD_PROBE_OK;
  }
}

void
pad_wait_for_seek(void *pad)
{
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM | GST_PAD_PROBE_TYPE_EVENT_FLUSH,
      wait_for_seek, NULL, NULL);
}

static GstPadProbeReturn
begin_at(GstPad *pad, GstPadProbeInfo *info, gpointer begin)
{
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info), *earlier;
  GstSegment segment;

  (void)pad;
  if (GST_EVENT_TYPE(event) != GST_EVENT_SEGMENT)
    return GST_PAD_PROBE_OK;
  gst_event_copy_segment(event, &segment);
  if (segment.format != GST_FORMAT_TIME || segment.start <= *(guint64 *)begin)
    return GST_PAD_PROBE_REMOVE;
  segment.start = *(guint64 *)begin;
  earlier = gst_event_new_segment(&segment);
  gst_event_set_seqnum(earlier, gst_event_get_seqnum(event));
  gst_event_unref(event);
  GST_PAD_PROBE_INFO_DATA(info) = earlier;
  return GST_PAD_PROBE_REMOVE;
}

void
pad_begin_at(void *pad, gint64 begin_ns)
{
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, begin_at, g_memdup2(&begin_ns, sizeof begin_ns), g_free);
}

gboolean
pad_seek(void *pad, gint64 start_ns, gint64 stop_ns)
{
  return gst_pad_send_event(pad,
      gst_event_new_seek(1.0, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, GST_SEEK_TYPE_SET, start_ns,
          stop_ns < 0 ? GST_SEEK_TYPE_NONE : GST_SEEK_TYPE_SET, stop_ns));
}

gboolean
pad_seek_key(void *pad, gint64 start_ns)
{
  return gst_pad_send_event(pad,
      gst_event_new_seek(1.0, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_KEY_UNIT | GST_SEEK_FLAG_SNAP_BEFORE,
          GST_SEEK_TYPE_SET, start_ns, GST_SEEK_TYPE_NONE, -1));
}

/* How the text of a stream is written. matroskademux escapes cues until it
 * meets the first one with a tag in it, and from then on hands on what the file
 * has. What is escaped has no '<'. */
typedef struct {
  gboolean plain; /* take SubRip's tags out as well */
  gboolean as_it_is;
} Text;

/* Undoes escaping. */
static char *
unescaped(const char *markup, gsize n)
{
  static const struct {
    const char *from;
    char to;
  } entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}, {"&#39;", '\''}, {"&#34;", '"'}};
  GString *out = g_string_sized_new(n);
  const char *p = markup, *end = markup + n;

  while (p < end && *p != '\0') {
    gsize i;

    for (i = 0; i < G_N_ELEMENTS(entities); i++) {
      gsize len = strlen(entities[i].from);
      if ((gsize)(end - p) >= len && strncmp(p, entities[i].from, len) == 0) {
        g_string_append_c(out, entities[i].to);
        p += len;
        break;
      }
    }
    if (i == G_N_ELEMENTS(entities))
      g_string_append_c(out, *p++);
  }
  return g_string_free(out, FALSE);
}

/* The longest tag, in bytes. Without a bound a text of nothing but beginnings takes the square of its length. */
#define MAX_TAG 1024

/* Returns what follows the tag of SubRip that begins at p, before stop, NULL where none
 * does: <i>, </i>, <font color="red">, {\an8}. */
static const char *
after_tag(const char *p, const char *stop)
{
  static const char *const names[] = {"b", "i", "u", "s", "font", "span"};
  const char *name = p + 1 + (p[1] == '/'), *end;
  gsize i, most = MIN((gsize)(stop - p), MAX_TAG);

  if (p[0] == '{' && p[1] == '\\') {
    end = memchr(p, '}', most);
    return end != NULL ? end + 1 : NULL;
  }
  if (p[0] != '<' || (end = memchr(p, '>', most)) == NULL)
    return NULL;
  for (i = 0; i < G_N_ELEMENTS(names); i++) {
    gsize len = strlen(names[i]);
    if (g_ascii_strncasecmp(name, names[i], len) == 0 && (name[len] == '>' || g_ascii_isspace(name[len])))
      return end + 1;
  }
  return NULL;
}

/* Takes the tags of SubRip out of a text, in place. */
static void
strip_tags(char *text)
{
  const char *p = text, *stop = text + strlen(text);

  while (p < stop) {
    const char *next = after_tag(p, stop);
    if (next != NULL)
      p = next;
    else
      *text++ = *p++;
  }
  *text = '\0';
}

static GstPadProbeReturn
rewrite_text(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  GstBuffer *old = GST_PAD_PROBE_INFO_BUFFER(info), *new;
  GstMapInfo map;
  Text *how = data;
  char *text;

  (void)pad;
  if (!gst_buffer_map(old, &map, GST_MAP_READ))
    return GST_PAD_PROBE_OK;
  how->as_it_is = how->as_it_is || memchr(map.data, '<', map.size) != NULL;
  text = how->as_it_is ? g_strndup((const char *)map.data, map.size) : unescaped((const char *)map.data, map.size);
  gst_buffer_unmap(old, &map);
  if (how->plain)
    strip_tags(text);
  new = gst_buffer_new_wrapped(text, strlen(text));
  gst_buffer_copy_into(new, old, GST_BUFFER_COPY_METADATA, 0, -1);
  GST_PAD_PROBE_INFO_DATA(info) = new;
  gst_buffer_unref(old);
  return GST_PAD_PROBE_OK;
}

static void
rewrite_on(GstPad *pad, gboolean plain)
{
  Text *how = g_new0(Text, 1);

  how->plain = plain;
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, rewrite_text, how, g_free);
}

void
pad_markup_to_subrip(void *pad)
{
  rewrite_on(pad, FALSE);
}

void
pad_markup_to_plain(void *pad)
{
  rewrite_on(pad, TRUE);
}

void
factory_set_rank(const char *name, guint rank)
{
  GstElementFactory *factory = gst_element_factory_find(name);

  if (factory == NULL)
    return;
  gst_plugin_feature_set_rank(GST_PLUGIN_FEATURE(factory), rank);
  gst_object_unref(factory);
}

void
demuxers_never_choice(const char *kind)
{
  GList *demuxers = gst_element_factory_list_get_elements(GST_ELEMENT_FACTORY_TYPE_DEMUXER, GST_RANK_NONE);

  for (GList *l = demuxers; l != NULL; l = l->next) {
    const char *klass = gst_element_factory_get_metadata(GST_ELEMENT_FACTORY(l->data), GST_ELEMENT_METADATA_KLASS);

    if (klass != NULL && strstr(klass, kind) != NULL)
      gst_plugin_feature_set_rank(GST_PLUGIN_FEATURE(l->data), GST_RANK_NONE);
  }
  gst_plugin_feature_list_free(demuxers);
}

gboolean
factory_takes(const char *name, const char *text)
{
  GstElementFactory *factory = gst_element_factory_find(name);
  GstCaps *caps = gst_caps_from_string(text);
  gboolean takes = factory != NULL && caps != NULL && gst_element_factory_can_sink_any_caps(factory, caps);

  if (factory != NULL)
    gst_object_unref(factory);
  if (caps != NULL)
    gst_caps_unref(caps);
  return takes;
}

gboolean
element_set(void *element, const char *property, const char *text)
{
  GParamSpec *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), property);
  GValue value = G_VALUE_INIT;
  gboolean read;

  if (spec == NULL)
    return FALSE;
  g_value_init(&value, spec->value_type);
  read = gst_value_deserialize_with_pspec(&value, text, spec);
  if (read)
    g_object_set_property(G_OBJECT(element), property, &value);
  g_value_unset(&value);
  return read;
}
