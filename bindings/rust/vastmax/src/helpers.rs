// SPDX-License-Identifier: Apache-2.0
//! Tasks offered to a pool's threads. A scope of rayon's would wait for jobs that a busy pool has not begun, and
//! run any other job of the pool meanwhile, which may want what the caller has locked.
use crate::context::Tasks;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

struct Open {
    tasks: *const Tasks,
    closing: bool,
    inside: usize,
}

#[derive(Default)]
struct State {
    open: Vec<Open>,
    waiting: usize, // jobs that the pool has not begun
}

/// Of a context: the calls that helpers may join. Jobs are of no call, so that a pool that is busy for long does
/// not gather those of calls long over.
#[derive(Default)]
pub(crate) struct Helpers {
    state: Mutex<State>,
    left: Condvar,
}

// SAFETY: tasks are Sync, and used by those counted inside alone, for whom their call waits.
unsafe impl Send for Helpers {}
unsafe impl Sync for Helpers {}

/// For one thread of the pool.
pub(crate) struct Job(Arc<Helpers>);

impl Drop for Job {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

impl Job {
    pub(crate) fn help(self) {
        let helpers = self.0.clone();
        drop(self);
        helpers.help();
    }
}

impl Helpers {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs tasks as long as a call has some.
    fn help(&self) {
        let mut state = self.state();
        // SAFETY: a call's tasks stay until it is open no more.
        while let Some(open) = state.open.iter_mut().find(|o| !o.closing && unsafe { &*o.tasks }.any_left()) {
            open.inside += 1;
            let tasks = open.tasks;
            drop(state);
            // SAFETY: they stay while somebody is inside. They are C's and do not panic.
            unsafe { &*tasks }.run_all();
            state = self.state();
            let open =
                state.open.iter_mut().find(|o| std::ptr::eq(o.tasks, tasks)).expect("open while inside");
            open.inside -= 1;
            if open.inside == 0 {
                self.left.notify_all();
            }
        }
    }

    /// A job, unless the pool has as many yet to begin.
    fn job(self: &Arc<Self>, most: usize) -> Option<Job> {
        let mut state = self.state();
        if state.waiting >= most {
            return None;
        }
        state.waiting += 1;
        Some(Job(self.clone()))
    }

    /// Runs all tasks on this thread and on those to which `offer` takes a job, all together at most `threads`.
    pub(crate) fn run(self: &Arc<Self>, tasks: &Tasks, threads: usize, offer: impl Fn(Job)) {
        /// Also when offer panics.
        struct Close<'a>(&'a Helpers, *const Tasks);
        impl Drop for Close<'_> {
            fn drop(&mut self) {
                self.0.close(self.1);
            }
        }

        self.state().open.push(Open { tasks, closing: false, inside: 0 });
        let _close = Close(self, tasks);
        let wanted = threads.min(tasks.len()).saturating_sub(1);
        for _ in 0..wanted {
            let Some(job) = self.job(wanted) else { break };
            offer(job);
        }
        tasks.run_all();
    }

    fn close(&self, tasks: *const Tasks) {
        let mut state = self.state();
        loop {
            let i = state.open.iter().position(|o| std::ptr::eq(o.tasks, tasks)).expect("open until here");
            if state.open[i].inside == 0 {
                state.open.swap_remove(i);
                return;
            }
            state.open[i].closing = true;
            state = self.left.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.state().waiting
    }
}
