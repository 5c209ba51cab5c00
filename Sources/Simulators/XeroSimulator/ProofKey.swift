internal import Crypto
internal import FoundationEssentials

/// Proof Key for Code Exchange (RFC 7636).
enum ProofKey {
    /// The challenge of a verifier: its SHA-256 in base64 for URLs, without padding.
    static func challenge(_ verifier: String) -> String {
        Data(SHA256.hash(data: Data(verifier.utf8))).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}
