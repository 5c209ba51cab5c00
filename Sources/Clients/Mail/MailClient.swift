import CCurl
import Glibc
import HTTP
import Threads

/// Hands messages to a mail server, one at a time, on a thread of its own.
///
/// libcurl's simple interface blocks until the server has answered; that is what the thread is for. Alerts are few, and
/// a server that hangs holds up mail alone. A new connection for each message: nothing is kept between two.
///
/// What is fixed: TLS 1.2 or newer before user and password are said, peer and host verified; no proxy or netrc;
/// nothing is logged.
package actor MailClient {
    private nonisolated let thread: DedicatedThread
    private let server: MailServer
    private var isPrepared = false

    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    package init(name: String, server: MailServer) {
        thread = DedicatedThread(name: name)
        self.server = server
    }

    deinit { thread.stop() }

    /// Returns when the server has taken the message for every address.
    ///
    /// After an error it may have been taken all the same, if the answer was lost: a second attempt with the same
    /// message id may then be a second copy.
    package func send(_ mail: Mail) throws(MailError) {
        guard Mail.isAddress(mail.from), !mail.to.isEmpty, mail.to.allSatisfy(Mail.isAddress) else {
            throw refusal("an address is not of the form name@host")
        }
        prepareThread()
        let transfer = MailTransfer(mail.encoded())
        let (code, text) = transfer.perform(server, from: mail.from, to: mail.to)
        guard code == CURLE_OK else {
            throw MailError(curlCode: Int(code.rawValue), server: "\(server.host):\(server.port)", detail: text)
        }
    }

    private func refusal(_ detail: String) -> MailError {
        MailError(curlCode: 0, server: "\(server.host):\(server.port)", detail: detail)
    }

    /// A write to a socket that the peer has closed may raise SIGPIPE, which would end the process.
    private func prepareThread() {
        guard !isPrepared else { return }
        isPrepared = true
        prepareCurl()
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }
}
