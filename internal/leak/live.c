#include "live.h"

#include <stdio.h>
#include <string.h>

#include <gst/gst.h>

// The tracer can also hand the live objects themselves out (get-live-objects). That is of no use here:
// in GStreamer 1.22 it gives references away that it has not taken, and while the list is read, other
// threads let objects go. What it logs it has written down under the lock that an object must take
// to die.

static GstTracer *leaks_tracer(void) {
	GstTracer *found = NULL;
	GList *active = gst_tracing_get_active_tracers();
	for (GList *l = active; l; l = l->next)
		if (!found && g_str_equal(G_OBJECT_TYPE_NAME(l->data), "GstLeaksTracer"))
			found = gst_object_ref(l->data);
	g_list_free_full(active, gst_object_unref);
	return found;
}

// registered returns the addresses of what the registry keeps for the life of the process: its
// features, and the caps of type finders.
static GHashTable *registered(void) {
	GHashTable *kept = g_hash_table_new(NULL, NULL);
	GList *features = gst_registry_feature_filter(gst_registry_get(), NULL, FALSE, NULL);
	for (GList *l = features; l; l = l->next) {
		g_hash_table_add(kept, l->data);
		if (GST_IS_TYPE_FIND_FACTORY(l->data))
			g_hash_table_add(kept, gst_type_find_factory_get_caps(l->data));
	}
	gst_plugin_feature_list_free(features);
	return kept;
}

typedef struct {
	GHashTable *kept;
	GString *lines;
	GThread *asking;
} Listing;

// field returns what stands behind a name in a record of the tracer's.
static const char *field(const char *record, const char *name) {
	const char *at = strstr(record, name);
	return at ? at + strlen(name) : "";
}

// note takes down a record of a live object, the form of which is
// "object-alive, type-name=(string)T, address=(gpointer)A, description=(string)D, ref-count=(uint)N, …".
static void note(GstDebugCategory *category, GstDebugLevel level, const gchar *file, const gchar *function, gint line,
                 GObject *object, GstDebugMessage *message, gpointer data) {
	Listing *l = data;
	const char *record = gst_debug_message_get(message);
	void *address = NULL;
	(void)category, (void)level, (void)file, (void)function, (void)line, (void)object;
	if (g_thread_self() != l->asking || !record || !g_str_has_prefix(record, "object-alive,")) return;
	sscanf(field(record, "address=(gpointer)"), "%p", &address);
	if (g_hash_table_contains(l->kept, address)) return;
	const char *type = field(record, "type-name=(string)"), *what = field(record, "description=(string)");
	const char *count = g_strrstr(what, ", ref-count=(uint)");
	g_string_append_printf(l->lines, "%.*s %.*s, %u references\n", (int)strcspn(type, ","), type,
	                       (int)(count ? count - what : (gssize)strlen(what)), what,
	                       count ? (guint)g_ascii_strtoull(field(count, "(uint)"), NULL, 10) : 0);
}

char *leak_live(void) {
	GstTracer *tracer = leaks_tracer();
	if (!tracer) return NULL;
	Listing l = {registered(), g_string_new(NULL), g_thread_self()};
	GstDebugCategory *category;
	GST_DEBUG_CATEGORY_GET(category, "GST_TRACER");
	GstDebugLevel before = gst_debug_category_get_threshold(category);
	guint printing = gst_debug_remove_log_function(gst_debug_log_default);
	gst_debug_add_log_function(note, &l, NULL);
	gst_debug_category_set_threshold(category, GST_LEVEL_TRACE);
	g_signal_emit_by_name(tracer, "log-live-objects");
	gst_debug_category_set_threshold(category, before);
	gst_debug_remove_log_function_by_data(&l);
	if (printing > 0) gst_debug_add_log_function(gst_debug_log_default, NULL, NULL);
	g_hash_table_unref(l.kept);
	gst_object_unref(tracer);
	return g_string_free(l.lines, FALSE);
}
