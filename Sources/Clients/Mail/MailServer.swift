/// Where mail is handed in, and how one is let in there.
package struct MailServer: Sendable {
    package var host: String
    package var port: Int
    /// TLS from the first byte (`smtps`), or by STARTTLS before anything is said (`smtp`). Never without.
    package var isImplicitTLS: Bool
    package var user: String?
    package var password: String?
    /// A PEM file that *replaces* the system's trusted certificates.
    package var trustedCertificates: String?
    /// For the whole of one message.
    package var timeout: Duration

    package init(
        host: String, port: Int, isImplicitTLS: Bool, user: String? = nil, password: String? = nil,
        trustedCertificates: String? = nil, timeout: Duration = .seconds(30)
    ) {
        self.host = host
        self.port = port
        self.isImplicitTLS = isImplicitTLS
        self.user = user
        self.password = password
        self.trustedCertificates = trustedCertificates
        self.timeout = timeout
    }

    /// Reads `smtps://host[:465]` and `smtp://host[:587]`; nil for anything else, user information included.
    package static func address(_ text: String) -> (host: String, port: Int, isImplicitTLS: Bool)? {
        let isImplicit = text.hasPrefix("smtps://")
        guard isImplicit || text.hasPrefix("smtp://") else { return nil }
        let parts = text.dropFirst(isImplicit ? 8 : 7).split(separator: ":", omittingEmptySubsequences: false)
        guard let host = parts.first, !host.isEmpty, parts.count <= 2,
            host.utf8.allSatisfy({ byte in
                (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == 0x2D || byte == 0x2E
            })
        else { return nil }
        guard parts.count == 2 else { return (String(host), isImplicit ? 465 : 587, isImplicit) }
        guard let port = Int(parts[1]), (1...65_535).contains(port) else { return nil }
        return (String(host), port, isImplicit)
    }
}

/// Why a message was not taken. Holds no credential and nothing of the message.
package struct MailError: Error, Sendable, CustomStringConvertible {
    /// libcurl's `CURLcode`; 0 where it had no say.
    package let curlCode: Int
    package let server: String
    package let detail: String

    package var description: String {
        "mail server \(server): \(detail)" + (curlCode == 0 ? "" : " (curl \(curlCode))")
    }
}
