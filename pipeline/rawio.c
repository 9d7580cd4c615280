#include "rawio.h"

#include <string.h>

gboolean
rawio_push(void *appsrc, const void *data, gsize n, guint64 pts_ns, guint64 duration_ns)
{
  GstBuffer *buffer = gst_buffer_new_allocate(NULL, n, NULL);

  gst_buffer_fill(buffer, 0, data, n);
  GST_BUFFER_PTS(buffer) = pts_ns;
  GST_BUFFER_DURATION(buffer) = duration_ns;
  return gst_app_src_push_buffer(appsrc, buffer) == GST_FLOW_OK; /* takes the buffer */
}

void
rawio_end(void *appsrc)
{
  gst_app_src_end_of_stream(appsrc);
}

int
rawio_pull(void *appsink, guint64 timeout_ns, RawPicture *out)
{
  GstVideoInfo info;
  GstBuffer *buffer;
  guint i;

  memset(out, 0, sizeof *out);
  out->sample = gst_app_sink_try_pull_sample(appsink, timeout_ns);
  if (out->sample == NULL)
    return gst_app_sink_is_eos(appsink) ? -1 : 0;
  buffer = gst_sample_get_buffer(out->sample);
  if (!gst_video_info_from_caps(&info, gst_sample_get_caps(out->sample)) ||
      !gst_video_frame_map(&out->frame, &info, buffer, GST_MAP_READ)) {
    gst_sample_unref(out->sample);
    return -1;
  }
  out->planes = (int)MIN(GST_VIDEO_FRAME_N_PLANES(&out->frame), 3);
  for (i = 0; i < (guint)out->planes; i++) {
    gint comp[GST_VIDEO_MAX_COMPONENTS];

    gst_video_format_info_component(info.finfo, i, comp);
    out->data[i] = GST_VIDEO_FRAME_PLANE_DATA(&out->frame, i);
    out->stride[i] = GST_VIDEO_FRAME_PLANE_STRIDE(&out->frame, i);
    out->rows[i] = GST_VIDEO_FRAME_COMP_HEIGHT(&out->frame, comp[0]);
  }
  out->format = GST_VIDEO_INFO_NAME(&info);
  out->width = GST_VIDEO_INFO_WIDTH(&info);
  out->height = GST_VIDEO_INFO_HEIGHT(&info);
  out->pts_ns = gst_segment_to_running_time(gst_sample_get_segment(out->sample), GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
  return 1;
}

void
rawio_release(RawPicture *p)
{
  gst_video_frame_unmap(&p->frame);
  gst_sample_unref(p->sample);
}
