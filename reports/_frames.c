/* The columns of an end frame, compiled: what ledger_frames.end packs in Python, byte for byte. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <math.h>
#include <stdint.h>

#define API 1 /* As in ledger_frames.py: a module built from another version is not used. */
#define NEVER (-2147483647 - 1)
#define MOST_US 2147483647.0
#define EXACT 9007199254740992.0 /* 2**53: up to here each integer is a float of its own. */
#define ROW_BYTES 16

static unsigned char *
little(unsigned char *at, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *at++ = (unsigned char)(value >> 8 * i);
    return at;
}

/* Write an integer; 0 if it is none, or does not fit: then Python says so. */
static int
unsigned_to(unsigned char **at, PyObject *value, unsigned long most, int bytes)
{
    unsigned long got = PyLong_Check(value) ? PyLong_AsUnsignedLong(value) : most + 1;
    if (got > most) {
        PyErr_Clear();
        return 0;
    }
    *at = little(*at, (uint32_t)got, bytes);
    return 1;
}

/* Return a time in whole microseconds, to the nearest and to the even one of two, as round does; NAN if it is none. */
static double
microseconds(PyObject *at_s)
{
    if (!PyFloat_Check(at_s))
        return NAN;
    double at_us = rint(PyFloat_AS_DOUBLE(at_s) * 1e6);
    return fabs(at_us) < EXACT ? at_us : NAN;
}

static int
offset_to(unsigned char **at, PyObject *at_s, double base_us)
{
    int32_t offset = NEVER;
    if (at_s != Py_None) {
        double exact = microseconds(at_s) - base_us;
        if (!(fabs(exact) <= MOST_US)) /* NAN, too. */
            return 0;
        offset = (int32_t)exact;
    }
    *at = little(*at, (uint32_t)offset, 4);
    return 1;
}

/* The columns one after another; 0 if Python must see to it. */
static int
pack(unsigned char *at, PyObject *const columns[5], Py_ssize_t many, double base_us)
{
    static const unsigned long most[5] = {4294967295UL, 0, 0, 65535UL, 65535UL};
    static const int bytes[5] = {4, 4, 4, 2, 2};
    for (int column = 0; column < 5; column++) {
        PyObject **items = PySequence_Fast_ITEMS(columns[column]);
        for (Py_ssize_t i = 0; i < many; i++)
            if (!(most[column] ? unsigned_to(&at, items[i], most[column], bytes[column])
                               : offset_to(&at, items[i], base_us)))
                return 0;
    }
    return 1;
}

static PyObject *
end_columns(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs != 5) {
        PyErr_SetString(PyExc_TypeError, "end_columns(numbers, sent_s, done_s, answers, tries)");
        return NULL;
    }
    PyObject *columns[5] = {NULL}, *packed = NULL, *result = NULL;
    for (int i = 0; i < 5; i++)
        if (!(columns[i] = PySequence_Fast(args[i], "a column is a sequence")))
            goto done;
    Py_ssize_t many = PySequence_Fast_GET_SIZE(columns[0]);
    for (int i = 1; i < 5; i++)
        if (PySequence_Fast_GET_SIZE(columns[i]) != many) {
            PyErr_SetString(PyExc_ValueError, "columns of one length");
            goto done;
        }
    double base_us = many ? microseconds(PySequence_Fast_GET_ITEM(columns[2], 0)) : NAN;
    if (isnan(base_us) || many > PY_SSIZE_T_MAX / ROW_BYTES) {
        result = Py_NewRef(Py_None);
        goto done;
    }
    if (!(packed = PyBytes_FromStringAndSize(NULL, many * ROW_BYTES)))
        goto done;
    if (pack((unsigned char *)PyBytes_AS_STRING(packed), columns, many, base_us))
        result = Py_BuildValue("LO", (long long)base_us, packed);
    else
        result = Py_NewRef(Py_None);
done:
    Py_XDECREF(packed);
    for (int i = 0; i < 5; i++)
        Py_XDECREF(columns[i]);
    return result;
}

static PyMethodDef methods[] = {
    {"end_columns", (PyCFunction)(void (*)(void))end_columns, METH_FASTCALL,
     "Return base_us and the columns' bytes, or None where ledger_frames must see to it."},
    {NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "reports._frames",
    .m_doc = "The columns of an end frame, compiled.",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC
PyInit__frames(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made && PyModule_AddIntConstant(made, "API", API) < 0)
        Py_CLEAR(made);
    return made;
}
