import Crypto
import FoundationEssentials
package import Settings

/// The keys that tokens are sealed with, newest first: the first seals, the others only open what was sealed before.
///
/// Written `id:key`, one a line or parted by commas, the key being 32 bytes in base64. Lines that begin with `#` are
/// left out.
package struct KeyRing: Sendable, CustomStringConvertible, CustomReflectable {
    package struct Key: Sendable {
        package let id: String
        fileprivate let secret: SymmetricKey
    }

    package let keys: [Key]

    package var current: Key { keys[0] }

    /// - Throws: ``KeyRingError``, which never quotes a key.
    package init(parsing text: Secret) throws(KeyRingError) {
        var keys: [Key] = []
        let entries = text.revealed.split(whereSeparator: { $0.isNewline || $0 == "," })
            .map { Self.trimmed($0) }
        for (index, entry) in entries.enumerated() where !entry.isEmpty && !entry.hasPrefix("#") {
            guard let colon = entry.firstIndex(of: ":") else { throw KeyRingError(index + 1, "has no `id:` in front") }
            let id = String(entry[..<colon])
            let isPlain = id.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber || $0 == "-") }
            guard isPlain, (1...32).contains(id.count) else {
                throw KeyRingError(index + 1, "has an id that is not 1 to 32 of a–z, 0–9 and -")
            }
            guard let bytes = Data(base64Encoded: String(entry[entry.index(after: colon)...])), bytes.count == 32 else {
                throw KeyRingError(index + 1, "(id \(id)) is not 32 bytes in base64")
            }
            guard !keys.contains(where: { $0.id == id }) else {
                throw KeyRingError(index + 1, "has the id \(id) again")
            }
            keys.append(Key(id: id, secret: SymmetricKey(data: bytes)))
        }
        guard !keys.isEmpty else { throw KeyRingError(nil, "holds no key") }
        self.keys = keys
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }

    /// A line for the key file, with a key nobody has seen before.
    package static func newEntry(id: String) -> String {
        let key = SymmetricKey(size: .bits256)
        return "\(id):" + key.withUnsafeBytes { Data($0) }.base64EncodedString()
    }

    package var description: String { "keys " + keys.map(\.id).joined(separator: ", ") }
    package var customMirror: Mirror { Mirror(reflecting: description) }
}

package struct KeyRingError: Error, Sendable, CustomStringConvertible {
    private let entry: Int?
    private let problem: String

    fileprivate init(_ entry: Int?, _ problem: String) {
        self.entry = entry
        self.problem = problem
    }

    package var description: String {
        (entry.map { "entry \($0) " } ?? "") + problem
            + ": make one with `tillbridge keys new` and keep it in a file that TILLBRIDGE_KEY_FILE names"
    }
}

/// What a row keeps: the key's id and the sealed bytes (12 of nonce, the cipher text, 16 of tag).
package struct SealedTokens: Sendable, Equatable {
    package let keyID: String
    package let bytes: [UInt8]

    package init(keyID: String, bytes: [UInt8]) {
        self.keyID = keyID
        self.bytes = bytes
    }
}

/// Why stored tokens cannot be opened.
package enum SealError: Error, Sendable, Equatable, CustomStringConvertible {
    case unknownKey(connection: String, keyID: String)
    /// The key has the right id and yet does not fit: another key, or the row was changed or put in another's place.
    case notAuthentic(connection: String, keyID: String)

    package var description: String {
        switch self {
        case .unknownKey(let connection, let keyID):
            "the tokens of \(connection) are sealed with the key `\(keyID)`, which TILLBRIDGE_KEY lacks: "
                + "add that key, or connect again"
        case .notAuthentic(let connection, let keyID):
            "the tokens of \(connection) do not open with the key `\(keyID)`: the key is another one, or the row was "
                + "changed; restore the key or the row, or connect again"
        }
    }
}

extension KeyRing {
    /// Seals a pair for one row: name, app and generation are bound in, so that what was sealed for one row, or for an
    /// earlier state of it, opens in no other.
    package func seal(_ pair: TokenPair, _ name: ConnectionName, clientID: String, generation: Int64) -> SealedTokens {
        // The lengths tell the two apart: four bytes, then the access token, then the refresh token.
        let access = Array(pair.access.revealed.utf8)
        var plain = withUnsafeBytes(of: UInt32(access.count).bigEndian) { Array($0) }
        plain += access
        plain += Array(pair.refresh.revealed.utf8)
        let bound = Self.bound(name, clientID, generation)
        // A random nonce of 96 bits a sealing; a connection is sealed some ten thousand times a year.
        guard let box = try? AES.GCM.seal(plain, using: current.secret, authenticating: bound),
            let bytes = box.combined
        else { preconditionFailure("AES-GCM seals any text of this size") }
        return SealedTokens(keyID: current.id, bytes: Array(bytes))
    }

    package func open(
        _ sealed: SealedTokens, _ name: ConnectionName, clientID: String, generation: Int64
    ) throws(SealError) -> TokenPair {
        guard let key = keys.first(where: { $0.id == sealed.keyID }) else {
            throw .unknownKey(connection: name.text, keyID: sealed.keyID)
        }
        guard let box = try? AES.GCM.SealedBox(combined: sealed.bytes),
            let plain = try? AES.GCM.open(
                box, using: key.secret, authenticating: Self.bound(name, clientID, generation)),
            plain.count >= 4
        else { throw .notAuthentic(connection: name.text, keyID: sealed.keyID) }
        let bytes = Array(plain)
        let count = Int(bytes[..<4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        guard count <= bytes.count - 4 else { throw .notAuthentic(connection: name.text, keyID: sealed.keyID) }
        return TokenPair(
            access: Secret(String(decoding: bytes[4..<(4 + count)], as: UTF8.self)),
            refresh: Secret(String(decoding: bytes[(4 + count)...], as: UTF8.self)))
    }

    private static func bound(_ name: ConnectionName, _ clientID: String, _ generation: Int64) -> [UInt8] {
        // NUL parts the fields: none of them can hold one (names are plain, PostgreSQL's text has none).
        Array("tillbridge credential 1\0\(name)\0\(clientID)\0\(generation)".utf8)
    }
}
