/* Texts that differ in an alert's number, time and fingerprint only: the compiled twin of what
 * `shapes.prepared` does for plain alerts. Optional: without it Python does the same by itself, and whatever
 * does not fit here is left to Python, which knows what is right. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#define API 1 /* To be raised here and in prepared.py whenever the two must change together. */

enum { NUMBER = 0, SUBJECT = 1, DUE_S = 3, RECIPE = 4, FIRED_S = 6, UNUSABLE = 7, FIELDS = 8 }; /* Planned */
enum { TIME = 27, TO_SECOND = 20, PRINT = 16, MOST_DIGITS = 18 };
static const uint64_t FNV_OFFSET = 0xCBF29CE484222325u, FNV_PRIME = 0x100000001B3u;
static const int64_t BEYOND_9999_US = 253402300800 * 1000000, MOST_US = 400000000000000000;

/* What a fixed text makes of a hash, see prepared._Suffix: it spares a chain of one multiplication a byte. */
typedef struct {
    uint64_t factor, terms[256];
} Leap;

/* Where parts of one kind stand in the text. */
typedef struct {
    Py_ssize_t count, *at;
} Places;

typedef struct {
    PyObject_HEAD
    char *text;
    Py_ssize_t length;
    Places digits, times, prints;
    int width;
    int64_t lowest, beyond;
    uint64_t begins;
    Leap *leaps;
    Py_ssize_t leap_count;
    int64_t second; /* The last one that was written, and its text. */
    char written[TO_SECOND];
} Template;

/* What tells the time: a Python callable, or the wall-clock microseconds of the run's second 0. */
typedef struct {
    PyObject *call;
    int64_t zero_us;
} Wall;

static uint64_t fnv(uint64_t state, const char *text, Py_ssize_t length)
{
    for (Py_ssize_t i = 0; i < length; i++)
        state = (state ^ (unsigned char)text[i]) * FNV_PRIME;
    return state;
}

static void learn_leap(Leap *leap, const char *text, Py_ssize_t length)
{
    leap->factor = 1;
    for (Py_ssize_t i = 0; i < length; i++)
        leap->factor *= FNV_PRIME;
    for (uint64_t low = 0; low < 256; low++)
        leap->terms[low] = fnv(low, text, length) - low * leap->factor;
}

static void write_digits(char *into, uint64_t number, int width)
{
    for (int i = width - 1; i >= 0; i--, number /= 10)
        into[i] = (char)('0' + number % 10);
}

static void write_print(const Template *self, const char *digits, char *into)
{
    uint64_t state = self->begins;
    for (Py_ssize_t i = 0; i < self->leap_count; i++) {
        state = fnv(state, digits, self->width);
        state = state * self->leaps[i].factor + self->leaps[i].terms[state & 0xFF];
    }
    for (int i = PRINT - 1; i >= 0; i--, state >>= 4)
        into[i] = "0123456789abcdef"[state & 0xF];
}

/* Write a second of 1970 to 9999 as far as its point. The year begins in March, so that a leap day ends it;
 * the days are counted from 0000-03-01, in eras of 400 years (Howard Hinnant, civil_from_days). */
static void write_second(char *into, int64_t second)
{
    uint64_t days = (uint64_t)second / 86400 + 719468, left = (uint64_t)second % 86400;
    uint64_t of_era = days % 146097;
    uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint64_t from_march = (5 * of_year + 2) / 153;
    uint64_t day = of_year - (153 * from_march + 2) / 5 + 1;
    uint64_t month = from_march < 10 ? from_march + 3 : from_march - 9;
    memcpy(into, "yyyy-mm-ddThh:mm:ss.", TO_SECOND);
    write_digits(into, year + days / 146097 * 400 + (month <= 2), 4);
    write_digits(into + 5, month, 2);
    write_digits(into + 8, day, 2);
    write_digits(into + 11, left / 3600, 2);
    write_digits(into + 14, left / 60 % 60, 2);
    write_digits(into + 17, left % 60, 2);
}

/* Write the time that is due_s after second 0; return 0 if Python is to do it. */
static int write_counted(Template *self, int64_t zero_us, PyObject *due_s, char *into)
{
    if (!PyFloat_CheckExact(due_s))
        return 0;
    double exact_us = PyFloat_AS_DOUBLE(due_s) * 1e6;
    if (!(exact_us > -(double)MOST_US && exact_us < (double)MOST_US)) /* Not a number, too. */
        return 0;
    /* Half to even, as Python's round(); by hand, for rint() follows the mode of the processor. */
    int64_t due_us = (int64_t)exact_us;
    double rest = exact_us - (double)due_us;
    if (rest > 0.5 || (rest == 0.5 && due_us % 2))
        due_us++;
    else if (rest < -0.5 || (rest == -0.5 && due_us % 2))
        due_us--;
    int64_t at_us = zero_us + due_us; /* Neither is more than MOST_US. */
    if (at_us < 0 || at_us >= BEYOND_9999_US)
        return 0;
    if (at_us / 1000000 != self->second) {
        self->second = at_us / 1000000;
        write_second(self->written, self->second);
    }
    memcpy(into, self->written, TO_SECOND);
    write_digits(into + TO_SECOND, (uint64_t)(at_us % 1000000), 6);
    into[TIME - 1] = 'Z';
    return 1;
}

/* Do it with what `wall` tells, which may do anything meanwhile; return -1 with an exception if it raises. */
static int write_told(PyObject *wall, PyObject *due_s, char *into)
{
    PyObject *told = PyObject_CallOneArg(wall, due_s);
    if (!told)
        return -1;
    Py_ssize_t length = 0;
    const char *text = PyUnicode_AsUTF8AndSize(told, &length); /* TypeError, if it is no str. */
    if (text && length == TIME)
        memcpy(into, text, TIME);
    Py_DECREF(told);
    return text ? length == TIME : -1;
}

/* Return 1 if it is plain, of the recipe, and its number as wide as the text's; 0 if not; -1: TypeError. */
static int fits(const Template *self, PyObject *alert, PyObject *recipe, int64_t *number)
{
    if (!PyTuple_Check(alert) || PyTuple_GET_SIZE(alert) != FIELDS) {
        PyErr_Format(PyExc_TypeError, "an alert is a tuple of %d fields", FIELDS);
        return -1;
    }
    PyObject *own = PyTuple_GET_ITEM(alert, NUMBER), *subject = PyTuple_GET_ITEM(alert, SUBJECT);
    if (PyTuple_GET_ITEM(alert, RECIPE) != recipe || PyTuple_GET_ITEM(alert, FIRED_S) != Py_None
        || PyTuple_GET_ITEM(alert, UNUSABLE) != Py_False)
        return 0;
    if (!PyLong_CheckExact(own) || !PyLong_CheckExact(subject))
        return 0;
    int beyond = 0, subject_beyond = 0; /* What is beyond 64 bits reads as -1, and so does not fit. */
    *number = PyLong_AsLongLongAndOverflow(own, &beyond);
    if (subject != own && PyLong_AsLongLongAndOverflow(subject, &subject_beyond) != *number)
        return 0;
    return !beyond && !subject_beyond && *number >= self->lowest && *number < self->beyond;
}

/* Write the text of an alert whose time is known. */
static void fill(const Template *self, char *into, int64_t number, const char *time)
{
    char digits[MOST_DIGITS], print[PRINT];
    write_digits(digits, (uint64_t)number, self->width);
    write_print(self, digits, print);
    memcpy(into, self->text, (size_t)self->length);
    for (Py_ssize_t i = 0; i < self->digits.count; i++)
        memcpy(into + self->digits.at[i], digits, (size_t)self->width);
    for (Py_ssize_t i = 0; i < self->times.count; i++)
        memcpy(into + self->times.at[i], time, TIME);
    for (Py_ssize_t i = 0; i < self->prints.count; i++)
        memcpy(into + self->prints.at[i], print, PRINT);
}

/* Find out number and time of an alert; return as `fits` does. */
static int read_alert(
    Template *self, PyObject *alert, PyObject *recipe, Wall wall, int64_t *number, char *time)
{
    int fit = fits(self, alert, recipe, number);
    if (fit != 1)
        return fit;
    PyObject *due_s = PyTuple_GET_ITEM(alert, DUE_S);
    return wall.call ? write_told(wall.call, due_s, time) : write_counted(self, wall.zero_us, due_s, time);
}

/* Return the text of a POST's only alert, None if Python is to do it, or NULL with an exception. */
static PyObject *one(Template *self, PyObject *post, PyObject *recipe, Wall wall)
{
    int is_list = PyList_CheckExact(post);
    if ((!is_list && !PyTuple_CheckExact(post)) || Py_SIZE(post) != 1)
        Py_RETURN_NONE;
    PyObject *alert = is_list ? PyList_GET_ITEM(post, 0) : PyTuple_GET_ITEM(post, 0);
    Py_INCREF(alert); /* `wall` may empty the list. */
    int64_t number = 0;
    char time[TIME];
    int fit = read_alert(self, alert, recipe, wall, &number, time);
    Py_DECREF(alert);
    if (fit < 0)
        return NULL;
    if (!fit)
        Py_RETURN_NONE;
    PyObject *text = PyBytes_FromStringAndSize(NULL, self->length);
    if (text)
        fill(self, PyBytes_AS_STRING(text), number, time);
    return text;
}

/* Take the arguments of both methods; return a tuple of the first, that nobody else can change. */
static PyObject *taken(PyObject *const *args, Py_ssize_t count, Wall *wall)
{
    if (count != 3) {
        PyErr_Format(PyExc_TypeError, "3 arguments are wanted, not %zd", count);
        return NULL;
    }
    wall->call = PyLong_CheckExact(args[2]) ? NULL : args[2];
    wall->zero_us = 0;
    if (!wall->call) {
        int beyond = 0;
        wall->zero_us = PyLong_AsLongLongAndOverflow(args[2], &beyond);
        if (beyond || wall->zero_us > MOST_US || wall->zero_us < -MOST_US)
            wall->zero_us = -MOST_US; /* With this no time is one of 1970 or later, so Python decides. */
    }
    return PySequence_Tuple(args[0]);
}

static PyObject *Template_requests(Template *self, PyObject *const *args, Py_ssize_t count)
{
    Wall wall;
    PyObject *posts = taken(args, count, &wall);
    PyObject *texts = posts ? PyList_New(0) : NULL;
    for (Py_ssize_t i = 0; texts && i < PyTuple_GET_SIZE(posts); i++) {
        PyObject *text = one(self, PyTuple_GET_ITEM(posts, i), args[1], wall);
        if (!text || PyList_Append(texts, text) < 0)
            Py_CLEAR(texts);
        Py_XDECREF(text);
    }
    Py_XDECREF(posts);
    return texts;
}

static PyObject *Template_entries(Template *self, PyObject *const *args, Py_ssize_t count)
{
    Wall wall;
    PyObject *batch = taken(args, count, &wall), *texts = NULL;
    Py_ssize_t alerts = batch ? PyTuple_GET_SIZE(batch) : 0;
    if (alerts && alerts <= PY_SSIZE_T_MAX / 2 / (self->length + 1))
        texts = PyBytes_FromStringAndSize(NULL, alerts * (self->length + 1) - 1);
    char *into = texts ? PyBytes_AS_STRING(texts) : NULL;
    int fit = 1;
    for (Py_ssize_t i = 0; texts && fit == 1 && i < alerts; i++) {
        int64_t number = 0;
        char time[TIME];
        fit = read_alert(self, PyTuple_GET_ITEM(batch, i), args[1], wall, &number, time);
        if (fit != 1)
            break;
        if (i)
            *into++ = ',';
        fill(self, into, number, time);
        into += self->length;
    }
    if (fit != 1)
        Py_CLEAR(texts);
    Py_XDECREF(batch);
    if (!texts && !PyErr_Occurred())
        Py_RETURN_NONE;
    return texts;
}

/* Keep the places of one kind of part, each so many bytes long; return 0, or -1 with an exception. */
static int learn_places(Places *places, PyObject *offsets, Py_ssize_t size, Py_ssize_t length)
{
    Py_ssize_t count = PyTuple_GET_SIZE(offsets);
    places->at = PyMem_New(Py_ssize_t, count);
    if (!places->at) {
        PyErr_NoMemory();
        return -1;
    }
    for (; places->count < count; places->count++) {
        Py_ssize_t at = PyLong_AsSsize_t(PyTuple_GET_ITEM(offsets, places->count));
        if (at == -1 && PyErr_Occurred())
            return -1;
        if (at < 0 || at > length - size) {
            PyErr_SetString(PyExc_ValueError, "a part would stand outside of the text");
            return -1;
        }
        places->at[places->count] = at;
    }
    return 0;
}

/* Keep what the pieces between the digits do to the hash; return 0, or -1 with an exception. */
static int learn_hash(Template *self, PyObject *hashed)
{
    Py_ssize_t count = PyTuple_GET_SIZE(hashed);
    for (Py_ssize_t i = 0; i < count; i++)
        if (!PyBytes_Check(PyTuple_GET_ITEM(hashed, i))) {
            PyErr_SetString(PyExc_TypeError, "hashed is a tuple of bytes");
            return -1;
        }
    if (!count) {
        PyErr_SetString(PyExc_ValueError, "hashed is empty");
        return -1;
    }
    self->leap_count = count - 1;
    self->leaps = PyMem_New(Leap, count - 1);
    if (!self->leaps) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *piece = PyTuple_GET_ITEM(hashed, i);
        if (!i)
            self->begins = fnv(FNV_OFFSET, PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece));
        else
            learn_leap(&self->leaps[i - 1], PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece));
    }
    return 0;
}

static int learn(Template *self, PyObject *args, PyObject *names)
{
    static char *known[] = {"text", "digits", "times", "prints", "hashed", "lowest", "width", NULL};
    PyObject *text, *digits, *times, *prints, *hashed;
    long long lowest;
    PyTypeObject *tuple = &PyTuple_Type;
    if (!PyArg_ParseTupleAndKeywords(args, names, "SO!O!O!O!Li:Template", known, &text, tuple, &digits, tuple,
            &times, tuple, &prints, tuple, &hashed, &lowest, &self->width))
        return -1;
    if (self->width < 1 || self->width > MOST_DIGITS || lowest < 0) {
        PyErr_Format(PyExc_ValueError, "a number has 1 to %d digits", MOST_DIGITS);
        return -1;
    }
    self->second = -1;
    self->lowest = lowest;
    self->beyond = 1;
    for (int i = 0; i < self->width; i++)
        self->beyond *= 10;
    self->length = PyBytes_GET_SIZE(text);
    self->text = PyMem_Malloc((size_t)self->length);
    if (!self->text) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(self->text, PyBytes_AS_STRING(text), (size_t)self->length);
    if (learn_places(&self->digits, digits, self->width, self->length) < 0
        || learn_places(&self->times, times, TIME, self->length) < 0
        || learn_places(&self->prints, prints, PRINT, self->length) < 0)
        return -1;
    return learn_hash(self, hashed);
}

static PyObject *Template_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
    PyObject *self = type->tp_alloc(type, 0);
    if (self && learn((Template *)self, args, names) < 0)
        Py_CLEAR(self);
    return self;
}

static void Template_dealloc(Template *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyMem_Free(self->text);
    PyMem_Free(self->digits.at);
    PyMem_Free(self->times.at);
    PyMem_Free(self->prints.at);
    PyMem_Free(self->leaps);
    type->tp_free(self);
    Py_DECREF(type); /* Each object of a heap type holds it. */
}

static PyMethodDef methods[] = {
    {"requests", (PyCFunction)(void (*)(void))Template_requests, METH_FASTCALL,
        "requests(posts, recipe, wall): the text of each POST's only alert, or None if it is not plain."},
    {"entries", (PyCFunction)(void (*)(void))Template_entries, METH_FASTCALL,
        "entries(batch, recipe, wall): the texts of alerts, joined by commas, or None if one is not plain."},
    {NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A text with places for an alert's number, time and fingerprint."},
    {Py_tp_new, Template_new},
    {Py_tp_dealloc, Template_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {"shapes._splice.Template", sizeof(Template), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, slots};

static int fill_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);
    int failed = !type || PyModule_AddType(module, (PyTypeObject *)type) < 0;
    Py_XDECREF(type); /* The module holds it. */
    return failed ? -1 : PyModule_AddIntMacro(module, API);
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, fill_module}, {0, NULL}};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_splice", "The compiled twin of shapes.prepared.", 0, NULL, module_slots};

PyMODINIT_FUNC PyInit__splice(void)
{
    return PyModuleDef_Init(&definition);
}
