//! The allocator of a component. Each evaluation runs in a fresh instance that is dropped afterwards, so the allocator
//! hands out memory upwards and takes back only the topmost block. It starts with the unused rest of the last page
//! that the linker laid out. A typical evaluation therefore never asks the host for more memory and touches no page
//! that it does not need.

#![allow(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait")]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32;
use core::cell::Cell;
use core::ptr;

const PAGE: usize = 65_536;

#[global_allocator]
static ALLOCATOR: Bump = Bump { top: Cell::new(0), end: Cell::new(0) };

struct Bump {
    /// The first free address; 0 before the first allocation.
    top: Cell<usize>,
    /// The first address beyond the memory.
    end: Cell<usize>,
}

// SAFETY: an instance of a component has one thread.
unsafe impl Sync for Bump {}

unsafe extern "C" {
    /// The address at which the linker's data ends.
    static __heap_base: u8;
}

impl Bump {
    /// Moves the top up to `end`, growing the memory if needed.
    fn reserve(&self, end: usize) -> bool {
        if end > self.end.get() && !self.grow(end) {
            return false;
        }
        self.top.set(end);
        true
    }

    #[cold]
    fn grow(&self, end: usize) -> bool {
        // On the first call, the memory that the linker laid out is usually enough.
        let size = wasm32::memory_size::<0>();
        let missing = end.div_ceil(PAGE).saturating_sub(size);
        if missing > 0 {
            // Doubles the memory, so that a growing need asks only a few times. A limit may allow only what is
            // missing.
            let asked = [size.max(missing), missing];
            let _ = asked.into_iter().any(|pages| wasm32::memory_grow::<0>(pages) != usize::MAX);
        }
        self.end.set(wasm32::memory_size::<0>().saturating_mul(PAGE));
        end <= self.end.get()
    }
}

// SAFETY: every block lies between the linker's data and the end of the memory. Blocks do not overlap, since the top
// moves down only over the last block, when that block is freed.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut top = self.top.get();
        if top == 0 {
            top = (&raw const __heap_base).addr();
        }
        let start = top.next_multiple_of(layout.align());
        match start.checked_add(layout.size()) {
            Some(end) if self.reserve(end) => ptr::with_exposed_provenance_mut(start),
            _ => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if block.addr() + layout.size() == self.top.get() {
            self.top.set(block.addr());
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let start = block.addr();
        if start + layout.size() == self.top.get() {
            return match start.checked_add(size) {
                Some(end) if self.reserve(end) => block,
                _ => ptr::null_mut(),
            };
        }
        if size <= layout.size() {
            return block;
        }
        // SAFETY: the alignment comes from a valid layout, the caller keeps the size within bounds, and the new block
        // is at least as large as the old one.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size());
            }
            moved
        }
    }
}
