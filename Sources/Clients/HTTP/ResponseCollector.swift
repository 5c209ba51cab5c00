/// Gathers one answer from the pieces libcurl hands over. Pure: header lines and body chunks in, a response out.
struct ResponseCollector {
    /// Bounds on what a peer can make us keep.
    static let headerCountMax = 256
    static let headerBytesMax = 64 << 10

    private(set) var status = 0
    private(set) var version = HTTPVersion.unrecognised
    private(set) var headers = HTTPHeaders()
    private(set) var body: [UInt8] = []
    private(set) var isTooLarge = false
    /// The blank line after a final (not 1xx) status was seen. libcurl reports success for an answer that ends in
    /// the middle of its headers; only this tells that it was whole.
    private(set) var hasAllHeaders = false
    private let bodyBytesMax: Int
    private var headerBytes = 0

    init(bodyBytesMax: Int) { self.bodyBytesMax = bodyBytesMax }

    /// One line of the head, its line break included.
    /// - Returns: false when the bound is passed and the transfer should end.
    mutating func takeHeaderLine(_ line: UnsafeRawBufferPointer) -> Bool {
        // Trailers come after the body and must not overrule what the head said.
        if hasAllHeaders { return true }
        headerBytes += line.count
        guard headerBytes <= Self.headerBytesMax, headers.entries.count < Self.headerCountMax else {
            isTooLarge = true
            return false
        }
        let content = trimmed(line[...])
        if line.starts(with: "HTTP/".utf8) {
            startHead(content)
        } else if content.isEmpty {
            hasAllHeaders = status >= 200
        } else if let first = line.first, first == 0x20 || first == 0x09 {
            headers.continueLast(with: String(decoding: content, as: UTF8.self))
        } else if let colon = content.firstIndex(of: UInt8(ascii: ":")) {
            let name = String(decoding: trimmed(content[..<colon]), as: UTF8.self)
            let value = String(decoding: trimmed(content[(colon + 1)...]), as: UTF8.self)
            headers.append(.init(name: name, value: value))
        }
        return true
    }

    /// - Returns: false when the bound is passed and the transfer should end.
    mutating func takeBody(_ chunk: UnsafeRawBufferPointer) -> Bool {
        guard chunk.count <= bodyBytesMax - body.count else {
            isTooLarge = true
            return false
        }
        body.append(contentsOf: chunk)
        return true
    }

    func response() -> HTTPResponse {
        HTTPResponse(status: status, headers: headers, body: body, httpVersion: version)
    }

    // A 1xx head is followed by another: what it said is dropped.
    private mutating func startHead(_ line: Slice<UnsafeRawBufferPointer>) {
        headers = HTTPHeaders()
        let parts = line.split(separator: 0x20, maxSplits: 2)
        version = switch parts.first.map({ String(decoding: $0, as: UTF8.self) }) {
        case "HTTP/1.0": .http1_0
        case "HTTP/1.1": .http1_1
        case "HTTP/2", "HTTP/2.0": .http2
        default: .unrecognised
        }
        status = parts.count > 1 ? Int(String(decoding: parts[1], as: UTF8.self)) ?? 0 : 0
    }
}

/// Without blanks and line breaks at both ends.
private func trimmed(_ bytes: Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer> {
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A }
    guard let first = bytes.firstIndex(where: { !isBlank($0) }),
          let last = bytes.lastIndex(where: { !isBlank($0) }) else { return bytes[bytes.endIndex...] }
    return bytes[first...last]
}
