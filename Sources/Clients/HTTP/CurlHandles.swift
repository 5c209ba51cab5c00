import CCurl

/// libcurl's global state, made once for the process and never torn down. `curl_global_init` is not safe to call
/// beside other threads in every build of libcurl; a Swift global is made exactly once.
private let globalState: CURLcode = curl_global_init(Int(CURL_GLOBAL_SSL))

/// For the other room that uses libcurl (`Mail`): the same global state, made by the same hand.
package func prepareCurl() {
    precondition(globalState == CURLE_OK, "curl_global_init said \(globalState.rawValue)")
}

/// One `CURLM`. Used by the client's thread only, but for ``wakeUp()``. Every easy handle must have been removed
/// before this is freed.
struct MultiHandle: ~Copyable {
    let raw: OpaquePointer

    init() {
        precondition(globalState == CURLE_OK, "curl_global_init said \(globalState.rawValue)")
        guard let multi = curl_multi_init() else { preconditionFailure("curl_multi_init had no memory") }
        raw = OpaquePointer(multi)
    }

    deinit { curl_multi_cleanup(UnsafeMutableRawPointer(raw)) }
}

/// One `CURL`. Freed after it was removed from its multi handle.
struct EasyHandle: ~Copyable {
    let raw: UnsafeMutableRawPointer

    init() {
        precondition(globalState == CURLE_OK, "curl_global_init said \(globalState.rawValue)")
        guard let easy = curl_easy_init() else { preconditionFailure("curl_easy_init had no memory") }
        raw = easy
    }

    deinit { curl_easy_cleanup(raw) }
}

/// Header lines for one request. libcurl reads them until the transfer is over, so they live as long as it does.
struct HeaderList: ~Copyable {
    private(set) var raw: UnsafeMutablePointer<curl_slist>?

    init() { raw = nil }

    /// libcurl copies the line.
    mutating func append(_ line: String) {
        guard let longer = curl_slist_append(raw, line) else { preconditionFailure("curl_slist_append had no memory") }
        raw = longer
    }

    deinit { curl_slist_free_all(raw) }
}

/// Bytes at an address that stays: a request's body, which libcurl reads in place, or its buffer for an error's text.
struct FixedBytes: ~Copyable {
    let memory: UnsafeMutableBufferPointer<UInt8>

    /// The only copy of a body that is made on its way out (libcurl's socket buffer aside).
    init(copying bytes: [UInt8]) {
        memory = .allocate(capacity: bytes.count)
        _ = memory.initialize(from: bytes)
    }

    init(zeroes count: Int) {
        memory = .allocate(capacity: count)
        memory.initialize(repeating: 0)
    }

    deinit { memory.deallocate() }
}
