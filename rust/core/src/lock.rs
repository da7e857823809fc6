//! How all mutexes of the module are taken.

#[cfg(not(thread_sanitizer))]
use std::sync::PoisonError;
#[cfg(thread_sanitizer)]
use std::sync::TryLockError;
use std::sync::{Mutex, MutexGuard};

/// Take a mutex whose content is whole between any two takings, whatever became of the thread that had it last.
#[cfg(not(thread_sanitizer))]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same for ThreadSanitizer (`.ci/sanitize threads`): who waits is woken within the standard library, which was
/// built without it, so that it would not see the order of things.
#[cfg(thread_sanitizer)]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    loop {
        match mutex.try_lock() {
            Ok(guard) => return guard,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                std::thread::sleep(std::time::Duration::from_micros(100));
            }
        }
    }
}
