//! How the memory of an instance is reset for the next one.
//!
//! The quick way asks the kernel which pages were written (`PAGEMAP_SCAN`) and resets those. wasmtime 48 asks for pages
//! that are present, and a page that was swapped out is not: it would keep what the previous instance wrote. So this
//! way is taken only if no part of this process can be swapped out.

use std::fmt;

use wasmtime::PoolingAllocationConfig;

use crate::limits::machine;

/// Whether the memory of an instance is reset by a scan of its pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageScan {
    /// It is.
    On,
    /// It is not, because pages may be swapped out.
    OffForSwap,
    /// It is not, because the kernel does not offer it.
    NotSupported,
    /// It is not, because it is not worth it.
    Off,
}

impl PageScan {
    /// Decides for this process, at its start.
    pub fn of_this_process() -> Self {
        Self::decide(PoolingAllocationConfig::is_pagemap_scan_available(), machine::may_be_swapped())
    }

    const fn decide(is_available: bool, may_be_swapped: bool) -> Self {
        match (is_available, may_be_swapped) {
            (false, _) => Self::NotSupported,
            (true, true) => Self::OffForSwap,
            (true, false) => Self::On,
        }
    }

    /// The word in `/health`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::OffForSwap => "off_may_be_swapped",
            Self::NotSupported => "not_supported",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for PageScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::OffForSwap => {
                "off, because this process may be swapped out: an instance takes longer to make; turn swap off, or set the \
                 container's memory.swap.max to 0"
            }
            Self::NotSupported => "not supported by this kernel, which is older than 6.7",
            Self::Off => "off",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_scanned_only_if_none_can_be_swapped_out() {
        assert_eq!(PageScan::decide(true, false), PageScan::On);
        assert_eq!(PageScan::decide(true, true), PageScan::OffForSwap);
        assert_eq!(PageScan::decide(false, false), PageScan::NotSupported);
        assert_eq!(PageScan::decide(false, true), PageScan::NotSupported);
        assert_eq!(PageScan::OffForSwap.as_str(), "off_may_be_swapped");
        assert!(PageScan::OffForSwap.to_string().contains("memory.swap.max"));
    }
}
