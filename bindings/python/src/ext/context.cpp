// SPDX-License-Identifier: Apache-2.0
// Contexts, workspaces, what the build and the machine have.
#include "ext.hpp"

#include <memory>

#if defined(_WIN32)
#  include <process.h>
#  define getpid _getpid
#else
#  include <unistd.h>
#endif

namespace vmxpy {
namespace {

/// What a task handed to Python needs; it must not be called after parallel_for has returned.
struct Task {
  vmx_task task;
  void *arg;
  int64_t n;
};

int32_t parallel_for_python(void *user, int64_t n, vmx_task task, void *task_arg) {
  nb::gil_scoped_acquire gil;
  keep_raised({});
  auto state = std::make_shared<Task>(Task{task, task_arg, n});
  int32_t failed = 0;
  try {
    nb::object call = nb::cpp_function([state](int64_t index) {
      if (!state->task) throw nb::value_error("the task was called after parallel_for had returned");
      if (index < 0 || index >= state->n) throw nb::index_error("task index out of range");
      nb::gil_scoped_release release;
      state->task(state->arg, index);
    });
    nb::handle(static_cast<PyObject *>(user))(n, call);
  } catch (nb::python_error &error) {
    keep_raised(nb::borrow(error.value()));
    failed = 1;
  }
  state->task = nullptr;
  return failed;
}

} // namespace

Context::Context(int threads, const char *isa, nb::object function) : parallel_for(std::move(function)), process(getpid()) {
  vmx_context_options options;
  check(vmx_context_options_init(&options, sizeof options));
  options.threads = threads;
  options.isa = enumerator(k_isa_names, "isa", isa);
  if (!parallel_for.is_none()) {
    if (!PyCallable_Check(parallel_for.ptr())) raise(VMX_ERR_DTYPE, "parallel_for is not callable");
    options.parallel_for = parallel_for_python;
    options.parallel_for_user = parallel_for.ptr();
  }
  check(vmx_context_create(&options, &ctx));
}

Context::~Context() {
  // A forked child has none of the pool's threads: to wait for their end would be to wait for ever.
  if (process == getpid()) vmx_context_destroy(ctx);
}

const Context *context_of(nb::handle object) {
  if (object.is_none()) return nullptr;
  if (!nb::isinstance<Context>(object)) {
    raise(VMX_ERR_DTYPE, "context is of type %s; it must be a Context or None", Py_TYPE(object.ptr())->tp_name);
  }
  return nb::inst_ptr<Context>(object);
}

Workspace::Workspace(nb::object context_) : context(std::move(context_)) {
  check(vmx_workspace_create(raw(context_of(context)), &ws));
}

void bind_context(nb::module_ &m) {
  nb::class_<Context>(m, "Context", R"(How calls run: on how many threads and with which instruction set. Results never depend on it.

Immutable; any number of threads may use one at the same time.

Args:
    threads: 0 or 1: the calling thread alone; n > 1: a pool of its own, n counting the caller; at most 1024.
    isa: The highest instruction set to use: "best", "scalar", "avx2" or "avx512". The environment variable VASTMAX_ISA
        caps it too and is read here alone.
    parallel_for: A function (n, task) that must call task(i) once for each i in range(n), on any threads, and return
        when all have ended; threads then tells how many it may use. What it raises is the cause of the call's
        CallbackError (KeyboardInterrupt and SystemExit go through). None: the pool, if any.

Raises:
    UnsupportedError: This CPU or build lacks the instruction set.
    ArgumentValueError: threads or isa is out of range.

>>> import numpy as np, vastmax
>>> context = vastmax.Context(threads=2)
>>> context.threads
2
>>> vastmax.logsumexp(np.zeros((1, 1), dtype=np.float32), context=context)
array([0.], dtype=float32)
)")
      .def(nb::init<int, const char *, nb::object>(), "threads"_a = 1, "isa"_a = "best", "parallel_for"_a = nb::none(),
           nb::sig("def __init__(self, threads: int = 1, isa: str = 'best', parallel_for: "
                   "collections.abc.Callable[[int, collections.abc.Callable[[int], None]], object] | None = None) -> None"))
      .def_prop_ro("threads", [](const Context &c) { return vmx_context_threads(c.ctx); },
                   "Threads that calls may use, the caller included: at least 1.")
      .def_prop_ro("isa", [](const Context &c) { return vmx_isa_name(vmx_isa_active(c.ctx)); },
                   "The name of the instruction set in use.");

  nb::class_<Workspace>(m, "Workspace", R"(Warm scratch memory: a call that finds enough of it allocates none.

One workspace serves one call at a time; a second call beside it allocates for itself.

Args:
    context: The context of the calls that will use it. None: the default one.

>>> import vastmax
>>> workspace = vastmax.Workspace()
>>> workspace.reserve(1 << 16)
>>> workspace.capacity >= 1 << 16
True
)")
      .def(nb::init<nb::object>(), "context"_a = nb::none(), nb::sig("def __init__(self, context: Context | None = None) -> None"))
      .def(
          "reserve", [](Workspace &w, size_t size) { check(vmx_workspace_reserve(w.ws, size)); }, "nbytes"_a,
          R"(Makes sure that a call which needs up to nbytes allocates nothing.

Raises:
    ArgumentValueError: A call is using the workspace.
    OutOfMemoryError: There is not so much.
)")
      .def_prop_ro("capacity", [](const Workspace &w) { return vmx_workspace_capacity(w.ws); }, "Bytes held.");

  m.def(
      "version", [] { return vmx_version_string(); }, R"(The library's version.

>>> import vastmax
>>> vastmax.version() == vastmax.__version__
True
)");
  m.def("version_number", [] { return vmx_version(); }, "The library's version as major * 10000 + minor * 100 + patch.");
  m.def(
      "onednn_version", [] { return vmx_onednn_version(); },
      "The version of oneDNN, which makes the matrix products; \"\" in a build without it.");
  m.def(
      "isa", [](const Context *c) { return vmx_isa_name(vmx_isa_active(raw(c))); }, "context"_a = nb::none(),
      nb::sig("def isa(context: Context | None = None) -> str"), R"(The instruction set that calls use: "scalar", "avx2" or "avx512".

Args:
    context: None: the best of this CPU, which is what calls without a context use.

>>> import vastmax
>>> vastmax.isa() in vastmax.isas()
True
)");
  m.def(
      "isas",
      [](bool usable) {
        nb::list names;
        for (int32_t i = 0; i < vmx_isa_count(); ++i) {
          const int32_t id = vmx_isa_id(i);
          if (!usable || vmx_isa_usable(id)) names.append(vmx_isa_name(id));
        }
        return names;
      },
      "usable"_a = true, nb::sig("def isas(usable: bool = True) -> list[str]"), R"(Names of instruction sets, in rising order.

Args:
    usable: Those of this build that this CPU can run; False: all of this build.

>>> import vastmax
>>> vastmax.isas()[0]
'scalar'
)");
  m.def(
      "status_string", [](int32_t status) { return vmx_status_string(status); }, "status"_a,
      R"(The text of a status number of the C library.

>>> import vastmax
>>> vastmax.status_string(99)
'unknown status'
)");
}

} // namespace vmxpy
