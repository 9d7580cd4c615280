#include "priority.h"

#include <signal.h>
#include <sys/resource.h>

/* How much lower, as nice(2) counts. At 10 a thread gets a tenth of what one
 * at 0 gets where both want the same core; a thread that starts another hands
 * it on. */
#define GIVE_WAY 10

/* Marks a queue. */
#define GIVES_WAY "upscaled-gives-way"

/* A pool whose threads are its own. GLib's pools hand idle threads from one to
 * the other, and without privileges a thread cannot raise its priority again. */
typedef struct {
  GstTaskPool parent;
} PolitePool;

typedef struct {
  GstTaskPoolClass parent;
} PolitePoolClass;

G_DEFINE_TYPE(PolitePool, polite_pool, GST_TYPE_TASK_POOL)

typedef struct {
  GstTaskPoolFunction function;
  gpointer data;
} Work;

static gpointer
work_run(gpointer data)
{
  Work work = *(Work *)data;

  g_free(data);
  /* Linux: 0 is the calling thread, not its process. Lowering cannot be refused. */
  setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + GIVE_WAY);
  work.function(work.data);
  return NULL;
}

static void
polite_pool_prepare(GstTaskPool *pool, GError **error)
{
  (void)pool;
  (void)error;
}

static void
polite_pool_cleanup(GstTaskPool *pool)
{
  (void)pool;
}

static gpointer
polite_pool_push(GstTaskPool *pool, GstTaskPoolFunction function, gpointer data, GError **error)
{
  Work *work = g_new(Work, 1);
  GThread *thread;

  (void)pool;
  work->function = function;
  work->data = data;
  thread = g_thread_try_new("polite", work_run, work, error);
  if (!thread)
    g_free(work);
  return thread;
}

static void
polite_pool_join(GstTaskPool *pool, gpointer id)
{
  (void)pool;
  if (id)
    g_thread_join(id);
}

static void
polite_pool_dispose_handle(GstTaskPool *pool, gpointer id)
{
  (void)pool;
  g_thread_unref(id);
}

static void
polite_pool_class_init(PolitePoolClass *class)
{
  GstTaskPoolClass *pool = GST_TASK_POOL_CLASS(class);

  pool->prepare = polite_pool_prepare;
  pool->cleanup = polite_pool_cleanup;
  pool->push = polite_pool_push;
  pool->join = polite_pool_join;
  pool->dispose_handle = polite_pool_dispose_handle;
}

static void
polite_pool_init(PolitePool *pool)
{
  (void)pool;
}

/* A pipe that nobody reads any more is an error of whoever writes to it. The signal of
 * it, which goes to the thread that writes, would end the process: Go takes it on
 * threads of its own alone. */
static void
pipes_may_break(void)
{
  sigset_t broken;

  sigemptyset(&broken);
  sigaddset(&broken, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken, NULL);
}

/* Creation is told on the thread that starts a task, before the task's own thread is
 * there, and its beginning on that one. */
static GstBusSyncReply
tend_thread(GstBus *bus, GstMessage *message, gpointer data)
{
  GstStreamStatusType type;
  GstElement *owner;

  (void)bus;
  (void)data;
  if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_STREAM_STATUS)
    return GST_BUS_PASS;
  gst_message_parse_stream_status(message, &type, &owner);
  if (type == GST_STREAM_STATUS_TYPE_ENTER)
    pipes_may_break();
  if (type == GST_STREAM_STATUS_TYPE_CREATE && owner && g_object_get_data(G_OBJECT(owner), GIVES_WAY)) {
    const GValue *task = gst_message_get_stream_status_object(message);
    GstTaskPool *pool = gst_object_ref_sink(g_object_new(polite_pool_get_type(), NULL));

    gst_task_set_pool(g_value_get_object(task), pool);
    gst_object_unref(pool);
  }
  return GST_BUS_PASS;
}

void
queue_give_way(void *queue)
{
  g_object_set_data(queue, GIVES_WAY, GINT_TO_POINTER(TRUE));
}

void
pipeline_with_priorities(void *pipeline)
{
  GstBus *bus = gst_pipeline_get_bus(pipeline);

  gst_bus_set_sync_handler(bus, tend_thread, NULL, NULL);
  gst_object_unref(bus);
}
