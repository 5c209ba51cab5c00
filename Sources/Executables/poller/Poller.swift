import ArgumentParser
import Bootstrap

@main struct Poller: WorkerCommand {
    static var worker: Worker { .poller }
    @OptionGroup var options: WorkerOptions
}
