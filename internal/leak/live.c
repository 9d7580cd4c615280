#include "live.h"

#include <gst/gst.h>

static GstTracer *leaks_tracer(void) {
	GstTracer *found = NULL;
	GList *active = gst_tracing_get_active_tracers();
	for (GList *l = active; l; l = l->next)
		if (!found && g_str_equal(G_OBJECT_TYPE_NAME(l->data), "GstLeaksTracer"))
			found = gst_object_ref(l->data);
	g_list_free_full(active, gst_object_unref);
	return found;
}

// The tracer's answer takes over a reference to each object that is not its own (GStreamer 1.22:
// "we take ownership of the object instead of reffing"). Freed like that, it would free what others
// hold. This gives it one of its own, unless a later GStreamer has done so.
static void own(const GValue *object, guint references) {
	if (G_VALUE_HOLDS_OBJECT(object)) {
		GObject *o = g_value_get_object(object);
		if (o->ref_count == references) g_object_ref(o);
	} else if (G_VALUE_HOLDS_BOXED(object)) { // every traced boxed type is a GstMiniObject
		GstMiniObject *o = g_value_get_boxed(object);
		if ((guint)GST_MINI_OBJECT_REFCOUNT_VALUE(o) == references) gst_mini_object_ref(o);
	}
}

static void describe(GString *lines, const GstStructure *live) {
	const GValue *object = gst_structure_get_value(live, "object");
	guint references = 0;
	gst_structure_get_uint(live, "ref-count", &references);
	own(object, references);
	g_string_append_printf(lines, "%s with %u references", G_VALUE_TYPE_NAME(object), references);
	if (G_VALUE_HOLDS(object, GST_TYPE_OBJECT))
		g_string_append_printf(lines, ": %s %s", G_OBJECT_TYPE_NAME(g_value_get_object(object)),
		                       GST_OBJECT_NAME(g_value_get_object(object)));
	else if (G_VALUE_HOLDS(object, GST_TYPE_CAPS))
		g_string_append_printf(lines, ": %" GST_PTR_FORMAT, g_value_get_boxed(object));
	g_string_append_c(lines, '\n');
}

char *leak_live(void) {
	GstTracer *tracer = leaks_tracer();
	if (!tracer) return NULL;
	GString *lines = g_string_new(NULL);
	GstStructure *live = NULL;
	g_signal_emit_by_name(tracer, "get-live-objects", &live);
	const GValue *list = live ? gst_structure_get_value(live, "live-objects-list") : NULL;
	for (guint i = 0; list && i < gst_value_list_get_size(list); i++)
		describe(lines, gst_value_get_structure(gst_value_list_get_value(list, i)));
	if (live) gst_structure_free(live);
	gst_object_unref(tracer);
	return g_string_free(lines, FALSE);
}
