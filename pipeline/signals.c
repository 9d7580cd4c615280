#include <stdlib.h>

#include "_cgo_export.h"
#include "glue.h"

static void
pad_added(GstElement *element, GstPad *pad, gpointer handle)
{
  char *sentence = goPadAdded((guintptr)handle, pad);

  if (sentence == NULL)
    return;
  GST_ELEMENT_ERROR(element, LIBRARY, FAILED, ("%s", sentence), (NULL));
  free(sentence);
}

gulong
element_on_pad_added(void *element, guintptr handle)
{
  return g_signal_connect(element, "pad-added", G_CALLBACK(pad_added), (gpointer)handle);
}

static void
own_pictures(GstBin *bin, GstElement *element, gpointer data)
{
  (void)bin, (void)data;
  if (g_object_class_find_property(G_OBJECT_GET_CLASS(element), "direct-rendering") != NULL)
    g_object_set(element, "direct-rendering", FALSE, NULL);
}

void
bin_own_pictures(void *bin)
{
  g_signal_connect(bin, "element-added", G_CALLBACK(own_pictures), NULL);
}

void
element_disconnect(void *element, gulong id)
{
  g_signal_handler_disconnect(element, id);
}
