//! Ways to a server, of which each can be disturbed by itself.

use std::{net::SocketAddr, sync::Arc};

use ta_bot_engine::pipeline::election::contract::Way;
use ta_bot_test_servers::{Mode, Proxy};

/// Proxies in the order in which they were made.
#[derive(Default)]
pub(crate) struct Ways(std::sync::Mutex<Vec<Arc<Proxy>>>);

impl Ways {
    /// Makes another way to a server, and returns its address.
    pub(crate) fn another(&self, server: SocketAddr) -> SocketAddr {
        let proxy = Proxy::start(server).unwrap();
        let address = proxy.address();
        self.0.lock().unwrap().push(Arc::new(proxy));
        address
    }

    pub(crate) async fn disturb(&self, index: usize, way: Way) {
        let proxy = Arc::clone(&self.0.lock().unwrap()[index]);
        match way {
            Way::Open => proxy.set(Mode::Forward).await.unwrap(),
            Way::Stalled => proxy.set(Mode::Stall).await.unwrap(),
            Way::Refused => {
                proxy.set(Mode::Refuse).await.unwrap();
                proxy.reset_all().await.unwrap();
            }
        }
    }
}
