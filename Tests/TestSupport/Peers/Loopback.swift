import Glibc

/// A plain thread for blocking calls, ended when `work` returns.
package func startThread(_ work: @escaping @Sendable () -> Void) {
    final class Work: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
    var handle = pthread_t()
    // Balanced by takeRetainedValue on the thread.
    let context = Unmanaged.passRetained(Work(work)).toOpaque()
    let code = pthread_create(&handle, nil, { context in
        guard let context else { return nil }
        Unmanaged<Work>.fromOpaque(context).takeRetainedValue().run()
        return nil
    }, context)
    precondition(code == 0, "pthread_create said \(code)")
    pthread_detach(handle)
}

/// A port for a server that cannot choose its own. Another process may take it first, if it is very quick.
package func freePort() -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    return withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            let code = bind(descriptor, pointer, length)
            precondition(code == 0, "bind said \(errno)")
            getsockname(descriptor, pointer, &length)
        }
        return Int(UInt16(bigEndian: $0.pointee.sin_port))
    }
}
