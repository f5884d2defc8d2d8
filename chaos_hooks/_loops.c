/* The two loops of `python_loops` in C: begin many requests, and read the answers that came.
 *
 * Only what every request of a healthy target does is here: one send that takes all, one receive that brings the whole
 * answer, its header block known. Whatever differs is handed to the Python that handles it anyway (`Lines`), in its
 * order, so that there is one transport, and this is its fast part. Nothing here waits: sockets are non-blocking, and
 * the GIL is kept.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define API 1 /* As in loops.py: a module built from another version is not used. */
#define EVENTS_A_TURN 64
#define RECEIVE_BYTES 8192

/* ---- Shot: a request on its way ---- */

typedef struct {
    PyObject_HEAD
    PyObject *request, *tag, *done, *line;
    double since_s;
} Shot;

static int
shot_traverse(Shot *self, visitproc visit, void *arg)
{
    Py_VISIT(self->request);
    Py_VISIT(self->tag);
    Py_VISIT(self->done);
    Py_VISIT(self->line);
    return 0;
}

static int
shot_clear(Shot *self)
{
    Py_CLEAR(self->request);
    Py_CLEAR(self->tag);
    Py_CLEAR(self->done);
    Py_CLEAR(self->line);
    return 0;
}

static void
shot_dealloc(Shot *self)
{
    PyObject_GC_UnTrack(self);
    shot_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyTypeObject ShotType;

static Shot *
shot_make(PyTypeObject *type, PyObject *request, PyObject *tag, PyObject *done, double since_s)
{
    if (!PyBytes_Check(request)) {
        PyErr_Format(PyExc_TypeError, "a request is bytes, not %s", Py_TYPE(request)->tp_name);
        return NULL;
    }
    Shot *self = (Shot *)type->tp_alloc(type, 0);
    if (self) {
        self->request = Py_NewRef(request);
        self->tag = Py_NewRef(tag);
        self->done = Py_NewRef(done);
        self->since_s = since_s;
    }
    return self;
}

static PyObject *
shot_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"request", "tag", "done", "since_s", NULL};
    PyObject *request, *tag, *done;
    double since_s;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOd", names, &request, &tag, &done, &since_s))
        return NULL;
    return (PyObject *)shot_make(type, request, tag, done, since_s);
}

static PyMemberDef shot_members[] = {
    {"request", T_OBJECT, offsetof(Shot, request), READONLY, NULL},
    {"tag", T_OBJECT, offsetof(Shot, tag), READONLY, NULL},
    {"done", T_OBJECT, offsetof(Shot, done), READONLY, NULL},
    {"line", T_OBJECT, offsetof(Shot, line), 0, NULL},
    {"since_s", T_DOUBLE, offsetof(Shot, since_s), 0, NULL},
    {NULL},
};

static PyTypeObject ShotType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "chaos_hooks._loops.Shot",
    .tp_basicsize = sizeof(Shot),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "As python_loops.Shot.",
    .tp_new = shot_new,
    .tp_dealloc = (destructor)shot_dealloc,
    .tp_traverse = (traverseproc)shot_traverse,
    .tp_clear = (inquiry)shot_clear,
    .tp_members = shot_members,
};

/* ---- Carrier: what the loops must know of a connection ---- */

typedef struct {
    PyObject_HEAD
    PyObject *shot, *left, *response, *sent_s, *error;
    double since_s;
    int fd;
    char fresh, expects, took;
} Carrier;

static int
carrier_traverse(Carrier *self, visitproc visit, void *arg)
{
    Py_VISIT(self->shot);
    Py_VISIT(self->left);
    Py_VISIT(self->response);
    Py_VISIT(self->sent_s);
    Py_VISIT(self->error);
    return 0;
}

static int
carrier_clear(Carrier *self)
{
    Py_CLEAR(self->shot);
    Py_CLEAR(self->left);
    Py_CLEAR(self->response);
    Py_CLEAR(self->sent_s);
    Py_CLEAR(self->error);
    return 0;
}

static void
carrier_dealloc(Carrier *self)
{
    PyObject_GC_UnTrack(self);
    carrier_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *
carrier_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    Carrier *self = (Carrier *)type->tp_alloc(type, 0);
    if (self)
        self->fd = -1;
    return (PyObject *)self;
}

static PyMemberDef carrier_members[] = {
    {"shot", T_OBJECT, offsetof(Carrier, shot), 0, NULL},
    {"left", T_OBJECT, offsetof(Carrier, left), 0, NULL},
    {"response", T_OBJECT, offsetof(Carrier, response), 0, NULL},
    {"sent_s", T_OBJECT, offsetof(Carrier, sent_s), 0, NULL},
    {"error", T_OBJECT, offsetof(Carrier, error), 0, NULL},
    {"since_s", T_DOUBLE, offsetof(Carrier, since_s), 0, NULL},
    {"fd", T_INT, offsetof(Carrier, fd), 0, NULL},
    {"fresh", T_BOOL, offsetof(Carrier, fresh), 0, NULL},
    {"expects", T_BOOL, offsetof(Carrier, expects), 0, NULL},
    {"took", T_BOOL, offsetof(Carrier, took), 0, NULL},
    {NULL},
};

static PyTypeObject CarrierType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "chaos_hooks._loops.Carrier",
    .tp_basicsize = sizeof(Carrier),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_doc = "As python_loops.Carrier.",
    .tp_new = carrier_new,
    .tp_dealloc = (destructor)carrier_dealloc,
    .tp_traverse = (traverseproc)carrier_traverse,
    .tp_clear = (inquiry)carrier_clear,
    .tp_members = carrier_members,
};

/* ---- Loops ---- */

typedef struct {
    PyObject_HEAD
    PyObject *clock, *pool, *open, *idle, *waiting, *busy, *known, *exchange;
    /* The header block and the body that came last, as most often the next are the same. */
    PyObject *head, *status, *body;
    Py_ssize_t body_bytes;
    double looked_s;
    int poll_fd;
} Loops;

static PyObject *text_done, *text_empty, *name_odd, *name_look, *name_take, *name_failed, *name_keep, *name_send_rest,
    *name_max_idle;

static int
loops_traverse(Loops *self, visitproc visit, void *arg)
{
    Py_VISIT(self->clock);
    Py_VISIT(self->pool);
    Py_VISIT(self->open);
    Py_VISIT(self->idle);
    Py_VISIT(self->waiting);
    Py_VISIT(self->busy);
    Py_VISIT(self->known);
    Py_VISIT(self->exchange);
    Py_VISIT(self->head);
    Py_VISIT(self->status);
    Py_VISIT(self->body);
    return 0;
}

static int
loops_clear(Loops *self)
{
    Py_CLEAR(self->clock);
    Py_CLEAR(self->pool);
    Py_CLEAR(self->open);
    Py_CLEAR(self->idle);
    Py_CLEAR(self->waiting);
    Py_CLEAR(self->busy);
    Py_CLEAR(self->known);
    Py_CLEAR(self->exchange);
    Py_CLEAR(self->head);
    Py_CLEAR(self->status);
    Py_CLEAR(self->body);
    return 0;
}

static void
loops_dealloc(Loops *self)
{
    PyObject_GC_UnTrack(self);
    loops_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *
loops_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *poll, *clock, *pool, *waiting, *busy, *known, *exchange;
    if (!PyArg_ParseTuple(args, "OOOO!O!O!O!", &poll, &clock, &pool, &PyODict_Type, &waiting, &PyODict_Type, &busy,
                          &PyDict_Type, &known, &PyType_Type, &exchange))
        return NULL;
    /* Exchanges are made as tuples of seven, without asking the class. */
    if (!PyType_IsSubtype((PyTypeObject *)exchange, &PyTuple_Type)) {
        PyErr_SetString(PyExc_TypeError, "an exchange must be a named tuple");
        return NULL;
    }
    int poll_fd = PyObject_AsFileDescriptor(poll);
    Loops *self = poll_fd < 0 ? NULL : (Loops *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->poll_fd = poll_fd;
    self->looked_s = -1.0;
    self->clock = Py_NewRef(clock);
    self->pool = Py_NewRef(pool);
    self->waiting = Py_NewRef(waiting);
    self->busy = Py_NewRef(busy);
    self->known = Py_NewRef(known);
    self->exchange = Py_NewRef(exchange);
    self->open = PyObject_GetAttrString(pool, "open");
    self->idle = PyObject_GetAttrString(pool, "idle");
    if (!self->open || !self->idle || !PyDict_CheckExact(self->open) || !PyList_CheckExact(self->idle)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "the pool's open must be a dict, and its idle a list");
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

/* Return the clock's time, as an object. */
static PyObject *
now(Loops *self)
{
    PyObject *at_s = PyObject_CallNoArgs(self->clock);
    if (at_s && !PyFloat_Check(at_s)) {
        Py_DECREF(at_s);
        PyErr_SetString(PyExc_TypeError, "the clock must return a float");
        return NULL;
    }
    return at_s;
}

/* Forget what a call returned; return -1 if it raised. */
static int
dropped(PyObject *result)
{
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* Put a request on a free connection: 1 if it is on its way, 0 if the connection took nothing and is gone, -1 on an
 * error. */
static int
hand_over(Loops *self, PyObject *owner, Carrier *line, Shot *shot)
{
    Py_ssize_t size = PyBytes_GET_SIZE(shot->request);
    ssize_t taken = send(line->fd, PyBytes_AS_STRING(shot->request), (size_t)size, MSG_NOSIGNAL);
    Py_XSETREF(line->shot, Py_NewRef((PyObject *)shot));
    Py_XSETREF(shot->line, Py_NewRef((PyObject *)line));
    PyObject *at_s = now(self);
    if (!at_s)
        return -1;
    line->since_s = PyFloat_AS_DOUBLE(at_s);
    if (taken == size) {
        Py_XSETREF(line->sent_s, at_s);
        line->expects = 1;
        return PyODict_SetItem(self->busy, (PyObject *)line, Py_None) < 0 ? -1 : 1;
    }
    Py_DECREF(at_s);
    /* Whatever the error was, it is met again there. */
    PyObject *rest = PyLong_FromSsize_t(taken < 0 ? 0 : taken);
    if (!rest)
        return -1;
    PyObject *on = PyObject_CallMethodObjArgs(owner, name_send_rest, (PyObject *)line, (PyObject *)shot, rest, NULL);
    Py_DECREF(rest);
    if (!on)
        return -1;
    int is_on = PyObject_IsTrue(on);
    Py_DECREF(on);
    return is_on;
}

/* Take the last of the idle connections; NULL without an error if there is none. */
static Carrier *
pop_idle(Loops *self)
{
    Py_ssize_t last = PyList_GET_SIZE(self->idle) - 1;
    if (last < 0)
        return NULL;
    PyObject *line = Py_NewRef(PyList_GET_ITEM(self->idle, last));
    if (PyList_SetSlice(self->idle, last, last + 1, NULL) < 0) {
        Py_DECREF(line);
        return NULL;
    }
    if (!PyObject_TypeCheck(line, &CarrierType)) {
        PyErr_SetString(PyExc_TypeError, "what is idle must be a Carrier");
        Py_DECREF(line);
        return NULL;
    }
    return (Carrier *)line;
}

/* Put a request on an idle connection, or have it wait. */
static int
launch_one(Loops *self, PyObject *owner, Shot *shot)
{
    while (!PyODict_SIZE(self->waiting)) {
        Carrier *line = pop_idle(self);
        if (!line) {
            if (PyErr_Occurred())
                return -1;
            break;
        }
        int is_on = hand_over(self, owner, line, shot);
        Py_DECREF(line);
        if (is_on)
            return is_on < 0 ? -1 : 0;
    }
    return PyODict_SetItem(self->waiting, (PyObject *)shot, Py_None);
}

static PyObject *
loops_launch(Loops *self, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs != 5) {
        PyErr_SetString(PyExc_TypeError, "launch(owner, requests, tags, done, since_s)");
        return NULL;
    }
    double since_s = PyFloat_AsDouble(args[4]);
    if (since_s == -1.0 && PyErr_Occurred())
        return NULL;
    PyObject *requests = PySequence_Tuple(args[1]), *tags = requests ? PySequence_Tuple(args[2]) : NULL;
    int fine = tags != NULL;
    if (fine && PyTuple_GET_SIZE(requests) != PyTuple_GET_SIZE(tags)) {
        PyErr_SetString(PyExc_ValueError, "as many tags as requests");
        fine = 0;
    }
    for (Py_ssize_t i = 0; fine && i < PyTuple_GET_SIZE(requests); i++) {
        Shot *shot = shot_make(&ShotType, PyTuple_GET_ITEM(requests, i), PyTuple_GET_ITEM(tags, i), args[3], since_s);
        fine = shot && launch_one(self, args[0], shot) == 0;
        Py_XDECREF(shot);
    }
    Py_XDECREF(requests);
    Py_XDECREF(tags);
    if (!fine)
        return NULL;
    Py_RETURN_NONE;
}

/* Give a connection that came free to who waits longest, or keep it. */
static int
use(Loops *self, PyObject *owner, Carrier *line)
{
    if (PyODict_SIZE(self->waiting)) {
        PyObject *each = PyObject_GetIter(self->waiting), *first = each ? PyIter_Next(each) : NULL;
        Py_XDECREF(each);
        if (!first)
            return -1;
        int is_on = -1;
        if (!PyObject_TypeCheck(first, &ShotType))
            PyErr_SetString(PyExc_TypeError, "what waits must be a Shot");
        else if (PyODict_DelItem(self->waiting, first) == 0)
            is_on = hand_over(self, owner, line, (Shot *)first);
        if (is_on == 0) /* It waits on, as the first. */
            is_on = PyODict_SetItem(self->waiting, first, Py_None) < 0
                        ? -1
                        : dropped(PyObject_CallMethod(self->waiting, "move_to_end", "Oi", first, 0));
        Py_DECREF(first);
        return is_on < 0 ? -1 : 0;
    }
    PyObject *most = PyObject_GetAttr(self->pool, name_max_idle);
    if (!most)
        return -1;
    Py_ssize_t max_idle = PyLong_AsSsize_t(most);
    Py_DECREF(most);
    if (max_idle == -1 && PyErr_Occurred())
        return -1;
    if (PyList_GET_SIZE(self->idle) < max_idle)
        return PyList_Append(self->idle, (PyObject *)line);
    return dropped(PyObject_CallMethodOneArg(owner, name_keep, (PyObject *)line));
}

/* End a request that was answered whole, in one piece, on a connection that stays. */
static int
answered(Loops *self, PyObject *owner, Carrier *line, PyObject *at_s)
{
    PyObject *shot = line->shot, *sent_s = line->sent_s;
    if (!shot || !PyObject_TypeCheck(shot, &ShotType) || !sent_s) {
        PyErr_SetString(PyExc_RuntimeError, "an answer to no request");
        return -1;
    }
    line->shot = NULL; /* Its reference is ours now. */
    Py_INCREF(sent_s);
    line->expects = line->fresh = 0;
    PyObject *body = Py_NewRef(self->body), *status = Py_NewRef(self->status), *pair = NULL;
    PyTypeObject *type = (PyTypeObject *)self->exchange;
    PyObject *exchange = NULL;
    if (PyODict_DelItem(self->busy, (PyObject *)line) == 0 && use(self, owner, line) == 0)
        exchange = type->tp_alloc(type, 7);
    if (exchange) {
        PyTuple_SET_ITEM(exchange, 0, Py_NewRef(text_done));
        PyTuple_SET_ITEM(exchange, 1, Py_NewRef(sent_s));
        PyTuple_SET_ITEM(exchange, 2, Py_NewRef(at_s));
        PyTuple_SET_ITEM(exchange, 3, Py_NewRef(status));
        PyTuple_SET_ITEM(exchange, 4, Py_NewRef(body));
        PyTuple_SET_ITEM(exchange, 5, Py_NewRef(text_empty));
        PyTuple_SET_ITEM(exchange, 6, Py_NewRef(Py_True));
        pair = PyTuple_Pack(2, ((Shot *)shot)->tag, exchange);
    }
    int failed = pair ? dropped(PyObject_CallOneArg(((Shot *)shot)->done, pair)) : -1;
    Py_XDECREF(pair);
    Py_XDECREF(exchange);
    Py_DECREF(status);
    Py_DECREF(body);
    Py_DECREF(sent_s);
    Py_DECREF(shot);
    return failed;
}

/* Have a header block, that is followed by a body of so many bytes, as the present one. */
static int
is_head(Loops *self, const char *data, Py_ssize_t size)
{
    if (!self->head)
        return 0;
    Py_ssize_t head = PyBytes_GET_SIZE(self->head);
    return size - head - 4 == self->body_bytes && memcmp(data, PyBytes_AS_STRING(self->head), (size_t)head) == 0 &&
           memcmp(data + head, "\r\n\r\n", 4) == 0;
}

/* Whether the bytes are one whole answer whose header block is known: then status and body are the present ones; -1 on
 * an error. */
static int
knows(Loops *self, const char *data, Py_ssize_t size)
{
    if (!is_head(self, data, size)) {
        const char *ends = memmem(data, (size_t)size, "\r\n\r\n", 4);
        if (!ends)
            return 0;
        PyObject *head = PyBytes_FromStringAndSize(data, ends - data);
        if (!head)
            return -1;
        PyObject *said = PyDict_GetItemWithError(self->known, head);
        if (!said) {
            Py_DECREF(head);
            return PyErr_Occurred() ? -1 : 0;
        }
        PyObject *status;
        Py_ssize_t body_bytes;
        if (!PyTuple_Check(said) || !PyArg_ParseTuple(said, "On", &status, &body_bytes)) {
            Py_DECREF(head);
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError, "of a header block its status and the body's length are known");
            return -1;
        }
        if (size - PyBytes_GET_SIZE(head) - 4 != body_bytes) {
            Py_DECREF(head);
            return 0;
        }
        Py_XSETREF(self->head, head);
        Py_XSETREF(self->status, Py_NewRef(status));
        self->body_bytes = body_bytes;
    }
    const char *body = data + size - self->body_bytes;
    if (self->body && PyBytes_GET_SIZE(self->body) == self->body_bytes &&
        memcmp(PyBytes_AS_STRING(self->body), body, (size_t)self->body_bytes) == 0)
        return 1; /* The same object again: its hash is known, too. */
    PyObject *fresh = PyBytes_FromStringAndSize(body, self->body_bytes);
    if (!fresh)
        return -1;
    Py_XSETREF(self->body, fresh);
    return 1;
}

/* Read what came on a connection that expects an answer. */
static int
receive(Loops *self, PyObject *owner, Carrier *line, PyObject *at_s)
{
    char data[RECEIVE_BYTES];
    ssize_t size = recv(line->fd, data, sizeof data, 0);
    if (size < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        PyObject *type, *problem, *trace;
        PyErr_Fetch(&type, &problem, &trace);
        PyErr_NormalizeException(&type, &problem, &trace);
        int failed = dropped(PyObject_CallMethodObjArgs(owner, name_failed, (PyObject *)line, problem, NULL));
        Py_XDECREF(type);
        Py_XDECREF(problem);
        Py_XDECREF(trace);
        return failed;
    }
    int known = knows(self, data, size);
    if (known)
        return known < 0 ? -1 : answered(self, owner, line, at_s);
    PyObject *bytes = PyBytes_FromStringAndSize(data, size);
    if (!bytes)
        return -1;
    int failed = dropped(PyObject_CallMethodObjArgs(owner, name_take, (PyObject *)line, bytes, NULL));
    Py_DECREF(bytes);
    return failed;
}

static int
event(Loops *self, PyObject *owner, int fd, unsigned int what, PyObject *at_s)
{
    PyObject *number = PyLong_FromLong(fd);
    if (!number)
        return -1;
    PyObject *found = PyDict_GetItemWithError(self->open, number);
    int failed = -1;
    if (!found) {
        if (!PyErr_Occurred())
            failed = dropped(PyObject_CallMethodOneArg(owner, name_look, number));
    } else if (!PyObject_TypeCheck(found, &CarrierType)) {
        PyErr_SetString(PyExc_TypeError, "what is open must be a Carrier");
    } else {
        Py_INCREF(found);
        Carrier *line = (Carrier *)found;
        if (what == EPOLLIN && line->expects) {
            failed = receive(self, owner, line, at_s);
        } else {
            PyObject *event = PyLong_FromUnsignedLong(what);
            if (event)
                failed = dropped(PyObject_CallMethodObjArgs(owner, name_odd, found, event, NULL));
            Py_XDECREF(event);
        }
        Py_DECREF(found);
    }
    Py_DECREF(number);
    return failed;
}

static PyObject *
loops_events(Loops *self, PyObject *owner)
{
    struct epoll_event events[EVENTS_A_TURN];
    int count = epoll_wait(self->poll_fd, events, EVENTS_A_TURN, 0);
    if (count < 0) {
        if (errno != EINTR)
            return PyErr_SetFromErrno(PyExc_OSError);
        count = 0;
    }
    PyObject *at_s = now(self);
    if (!at_s)
        return NULL;
    self->looked_s = PyFloat_AS_DOUBLE(at_s);
    for (int i = 0; i < count; i++)
        if (event(self, owner, events[i].data.fd, events[i].events, at_s) < 0) {
            Py_DECREF(at_s);
            return NULL;
        }
    Py_DECREF(at_s);
    return PyLong_FromLong(count);
}

/* Return the arguments of a method: owner, line, and a shot where one is wanted; NULL if they are others. */
static Carrier *
line_of(PyObject *const *args, Py_ssize_t nargs, int with_shot)
{
    if (nargs == 2 + with_shot && PyObject_TypeCheck(args[1], &CarrierType) &&
        (!with_shot || PyObject_TypeCheck(args[2], &ShotType)))
        return (Carrier *)args[1];
    PyErr_SetString(PyExc_TypeError, with_shot ? "hand_over(owner, line, shot)" : "use(owner, line)");
    return NULL;
}

static PyObject *
loops_hand_over(Loops *self, PyObject *const *args, Py_ssize_t nargs)
{
    Carrier *line = line_of(args, nargs, 1);
    int is_on = line ? hand_over(self, args[0], line, (Shot *)args[2]) : -1;
    return is_on < 0 ? NULL : PyBool_FromLong(is_on);
}

static PyObject *
loops_use(Loops *self, PyObject *const *args, Py_ssize_t nargs)
{
    Carrier *line = line_of(args, nargs, 0);
    if (!line || use(self, args[0], line) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef loops_methods[] = {
    {"hand_over", (PyCFunction)(void (*)(void))loops_hand_over, METH_FASTCALL, "As python_loops.Loops.hand_over."},
    {"use", (PyCFunction)(void (*)(void))loops_use, METH_FASTCALL, "As python_loops.Loops.use."},
    {"launch", (PyCFunction)(void (*)(void))loops_launch, METH_FASTCALL, "As python_loops.Loops.launch."},
    {"events", (PyCFunction)loops_events, METH_O, "As python_loops.Loops.events."},
    {NULL},
};

static PyMemberDef loops_members[] = {
    {"looked_s", T_DOUBLE, offsetof(Loops, looked_s), 0, NULL},
    {NULL},
};

static PyTypeObject LoopsType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "chaos_hooks._loops.Loops",
    .tp_basicsize = sizeof(Loops),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "As python_loops.Loops.",
    .tp_new = loops_new,
    .tp_dealloc = (destructor)loops_dealloc,
    .tp_traverse = (traverseproc)loops_traverse,
    .tp_clear = (inquiry)loops_clear,
    .tp_methods = loops_methods,
    .tp_members = loops_members,
};

/* ---- settled: what is known of the answers that came ---- */

/* Append to each list what an exchange of one alert says; 1 if it is known, 0 if not, -1 on an error. */
static int
settle(PyObject *const lists[5], PyObject *batch, PyObject *exchange, PyObject *known)
{
    if (!PyList_Check(batch) || !PyTuple_Check(exchange) || PyTuple_GET_SIZE(exchange) != 7) {
        PyErr_SetString(PyExc_TypeError, "settled(batches, exchanges, known)");
        return -1;
    }
    if (PyList_GET_SIZE(batch) != 1 || PyTuple_GET_ITEM(exchange, 6) != Py_True)
        return 0;
    int is_done = PyUnicode_Check(PyTuple_GET_ITEM(exchange, 0))
                      ? PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(exchange, 0), "done") == 0
                      : 0;
    PyObject *alert = PyList_GET_ITEM(batch, 0);
    if (!is_done || !PyTuple_Check(alert) || !PyTuple_GET_SIZE(alert))
        return 0;
    PyObject *key = PyTuple_Pack(2, PyTuple_GET_ITEM(exchange, 3), PyTuple_GET_ITEM(exchange, 4));
    PyObject *said = key ? PyDict_GetItemWithError(known, key) : NULL;
    Py_XDECREF(key);
    if (!said)
        return PyErr_Occurred() ? -1 : 0;
    if (!PyTuple_Check(said) || PyTuple_GET_SIZE(said) != 2) {
        PyErr_SetString(PyExc_TypeError, "of an answer what it says and its code are known");
        return -1;
    }
    PyObject *each[5] = {PyTuple_GET_ITEM(alert, 0), PyTuple_GET_ITEM(said, 1), PyTuple_GET_ITEM(exchange, 1),
                         PyTuple_GET_ITEM(exchange, 2), PyTuple_GET_ITEM(said, 0)};
    for (int i = 0; i < 5; i++)
        if (PyList_Append(lists[i], each[i]) < 0)
            return -1;
    return 1;
}

static PyObject *
settled(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs != 3 || !PyList_Check(args[0]) || !PyList_Check(args[1]) || !PyDict_Check(args[2]) ||
        PyList_GET_SIZE(args[0]) != PyList_GET_SIZE(args[1])) {
        PyErr_SetString(PyExc_TypeError, "settled(batches, exchanges, known), two lists of one length and a dict");
        return NULL;
    }
    PyObject *lists[5] = {NULL}, *result = NULL;
    for (int i = 0; i < 5; i++)
        if (!(lists[i] = PyList_New(0)))
            goto done;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(args[0]); i++) {
        int is_known = settle(lists, PyList_GET_ITEM(args[0], i), PyList_GET_ITEM(args[1], i), args[2]);
        if (is_known <= 0) {
            result = is_known < 0 ? NULL : Py_NewRef(Py_None);
            goto done;
        }
    }
    result = PyTuple_Pack(5, lists[0], lists[1], lists[2], lists[3], lists[4]);
done:
    for (int i = 0; i < 5; i++)
        Py_XDECREF(lists[i]);
    return result;
}

static PyMethodDef functions[] = {
    {"settled", (PyCFunction)(void (*)(void))settled, METH_FASTCALL, "As python_loops.settled."},
    {NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "chaos_hooks._loops",
    .m_doc = "The loops of python_loops, compiled.",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC
PyInit__loops(void)
{
    struct {
        PyObject **name;
        const char *text;
    } names[] = {
        {&text_done, "done"},         {&text_empty, ""},     {&name_odd, "odd"},   {&name_look, "look"},
        {&name_take, "take"},         {&name_failed, "failed"}, {&name_keep, "keep"}, {&name_send_rest, "send_rest"},
        {&name_max_idle, "max_idle"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!(*names[i].name = PyUnicode_InternFromString(names[i].text)))
            return NULL;
    PyObject *made = PyModule_Create(&module);
    if (!made)
        return NULL;
    if (PyModule_AddType(made, &ShotType) < 0 || PyModule_AddType(made, &CarrierType) < 0 ||
        PyModule_AddType(made, &LoopsType) < 0 || PyModule_AddIntConstant(made, "API", API) < 0) {
        Py_DECREF(made);
        return NULL;
    }
    return made;
}
