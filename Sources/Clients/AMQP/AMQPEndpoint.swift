/// Where a broker is, and as whom to greet it.
///
/// `amqp://user:password@host:port/vhost` or `amqps://…`; user, password and vhost percent-encoded. Without a user it
/// is `guest`; without a vhost, or with an empty one, `/`. With `amqps`, TLS 1.2 is the least, and both the chain and
/// the host's name are verified. librabbitmq compares *DNS names* only: an address with an IP number cannot be
/// verified.
package struct AMQPEndpoint: Sendable, CustomStringConvertible {
    package let host: String
    package let port: Int
    package let virtualHost: String
    package let user: String
    package let isTLS: Bool
    let password: String
    let trustedCertificates: String
    let clientCertificate: String?
    let clientKey: String?

    /// Debian's bundle, used when no file of trusted certificates is named.
    static let systemCertificates = "/etc/ssl/certs/ca-certificates.crt"

    /// - Parameters:
    ///   - trustedCertificates: path of a PEM file; the system's bundle if nil.
    ///   - clientCertificate: path of a PEM file; needs `clientKey`.
    package init(
        url: String, trustedCertificates: String? = nil, clientCertificate: String? = nil, clientKey: String? = nil
    ) throws(AMQPError) {
        guard let schemeEnd = url.firstRange(of: "://") else { throw Self.bad("it has no scheme") }
        switch url[..<schemeEnd.lowerBound].lowercased() {
        case "amqp": isTLS = false
        case "amqps": isTLS = true
        default: throw Self.bad("its scheme is neither amqp nor amqps")
        }
        var rest = url[schemeEnd.upperBound...]
        guard !rest.contains("?"), !rest.contains("#") else { throw Self.bad("a query or fragment is not understood") }
        if let slash = rest.firstIndex(of: "/") {
            let path = rest[rest.index(after: slash)...]
            guard !path.contains("/") else { throw Self.bad("a slash inside the virtual host must be written %2F") }
            virtualHost = path.isEmpty ? "/" : try Self.decode(path, "virtual host")
            rest = rest[..<slash]
        } else {
            virtualHost = "/"
        }
        if let at = rest.lastIndex(of: "@") {
            let login = rest[..<at]
            let colon = login.firstIndex(of: ":") ?? login.endIndex
            user = try Self.decode(login[..<colon], "user")
            password = colon == login.endIndex ? "" : try Self.decode(login[login.index(after: colon)...], "password")
            rest = rest[rest.index(after: at)...]
        } else {
            user = "guest"
            password = "guest"
        }
        (host, port) = try Self.hostAndPort(rest, isTLS: isTLS)
        guard (clientCertificate == nil) == (clientKey == nil) else {
            throw Self.bad("a client certificate and its key go together")
        }
        self.trustedCertificates = trustedCertificates ?? Self.systemCertificates
        self.clientCertificate = clientCertificate
        self.clientKey = clientKey
    }

    /// The address with the password masked, as logs may show it.
    package var description: String {
        let shownHost = host.contains(":") ? "[\(host)]" : host
        let shownVirtualHost = virtualHost == "/" ? "%2F" : virtualHost
        return "\(isTLS ? "amqps" : "amqp")://\(user):***@\(shownHost):\(port)/\(shownVirtualHost)"
    }

    private static func hostAndPort(_ text: Substring, isTLS: Bool) throws(AMQPError) -> (String, Int) {
        var host = text
        var portText: Substring?
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { throw bad("an IPv6 address lacks its ]") }
            host = text[text.index(after: text.startIndex)..<end]
            let tail = text[text.index(after: end)...]
            guard tail.isEmpty || tail.first == ":" else { throw bad("something stands between ] and the port") }
            portText = tail.isEmpty ? nil : tail.dropFirst()
        } else if let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            portText = text[text.index(after: colon)...]
        }
        let name = try decode(host, "host")
        guard !name.isEmpty else { throw bad("it names no host") }
        guard let portText else { return (name, isTLS ? 5671 : 5672) }
        guard let port = UInt16(portText), port > 0 else { throw bad("its port is not a number from 1 to 65535") }
        return (name, Int(port))
    }

    private static func decode(_ text: Substring, _ part: String) throws(AMQPError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst(), let low = rest.popFirst(),
                let value = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16), high != UInt8(ascii: "+")
            else { throw bad("its \(part) has a % that is not followed by two hexadecimal digits") }
            bytes.append(value)
        }
        guard !bytes.contains(0), let decoded = String(validating: bytes, as: UTF8.self) else {
            throw bad("its \(part) is not text")
        }
        return decoded
    }

    /// Says what is wrong without repeating the address: it may hold a password.
    private static func bad(_ reason: String) -> AMQPError {
        AMQPError(.badURL, operation: "read the broker's address", detail: reason)
    }
}
