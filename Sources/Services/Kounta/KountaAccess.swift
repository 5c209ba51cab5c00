package import Credentials
package import Settings

/// How the fleet is let into a company of Kounta's.
package enum KountaAccess: Sendable {
    /// A client id and secret of the company's own: reaches that company, 60 calls a minute.
    case basic(ClientCredential)
    /// What somebody granted at Kounta's consent page: 180 calls a minute.
    case granted(any AccessTokens)
}
