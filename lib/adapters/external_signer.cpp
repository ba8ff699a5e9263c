#include "adapters/external_signer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/text.hpp"

extern char** environ;

namespace fota::adapters {
namespace {

using Clock = std::chrono::steady_clock;

/// RSA-3072 has the longest signature, of 384 bytes.
constexpr std::size_t longest_answer = 4096;
/// How often a command that has closed its stdout is asked whether it has ended.
constexpr std::chrono::milliseconds reap_interval{5};

class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Fd() { reset(); }
    int get() const noexcept { return fd_; }
    void reset() noexcept {
        if (const int fd = std::exchange(fd_, -1); fd >= 0) close(fd);
    }

  private:
    int fd_ = -1;
};

struct Pipe {
    Fd read;
    Fd write;
};

Result<Pipe> make_pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail(Errc::internal, fmt::format("expected a pipe, found {}", std::strerror(errno)));
    return Pipe{Fd(ends[0]), Fd(ends[1])};
}

/// A child that is killed unless it was waited for.
class Child {
  public:
    explicit Child(pid_t pid) : pid_(pid) {}
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        if (pid_ <= 0) return;
        kill(pid_, SIGKILL);
        while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    /// Its status once it has ended; nullopt before `deadline`, or when that has passed.
    std::optional<int> wait_until(Clock::time_point deadline) {
        int status = 0;
        while (true) {
            const auto ended = waitpid(pid_, &status, WNOHANG);
            if (ended == pid_) {
                pid_ = -1;
                return status;
            }
            if (ended < 0 && errno != EINTR) return std::nullopt;
            if (Clock::now() >= deadline) return std::nullopt;
            poll(nullptr, 0, static_cast<int>(reap_interval.count()));
        }
    }

  private:
    pid_t pid_;
};

Result<pid_t> spawn(const std::vector<std::string>& command, int input, int output) {
    std::vector<char*> words;
    for (const auto& each : command) words.push_back(const_cast<char*>(each.c_str()));
    words.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    // This program ignores SIGPIPE; its children would inherit that.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    pid_t pid = -1;
    const int error = posix_spawnp(&pid, words[0], &actions, &attributes, words.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
        return fail(Error(Errc::file_unreadable, fmt::format("expected the signing command {}, found {}",
                                                             printable(command[0]), std::strerror(error)))
                        .with("hint", "the command is run without a shell: name a program in PATH, or sh -c '...'"));
    return pid;
}

enum class Talk { ended, timed_out, too_long };

/// Feeds `input` and collects what comes back, both at once, so that neither side can wait for the other for ever.
Talk talk(Fd to, Fd from, BytesView input, Bytes& answer, Clock::time_point deadline) {
    fcntl(to.get(), F_SETFL, O_NONBLOCK);
    fcntl(from.get(), F_SETFL, O_NONBLOCK);
    while (true) {
        if (input.empty()) to.reset();
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) return Talk::timed_out;
        pollfd watched[] = {{from.get(), POLLIN, 0}, {to.get(), POLLOUT, 0}};
        const int ready = poll(watched, 2, static_cast<int>(std::min<long long>(left, 60'000)));
        if (ready < 0 && errno != EINTR) return Talk::ended;
        if (ready <= 0) continue;
        if (watched[1].revents != 0) {
            const auto written = write(to.get(), input.data(), input.size());
            // A command need not read all it is given: a broken pipe only ends the feeding.
            if (written < 0 && errno != EAGAIN && errno != EINTR) input = {};
            if (written > 0) input = input.subspan(static_cast<std::size_t>(written));
        }
        if (watched[0].revents == 0) continue;
        std::uint8_t buffer[1024];
        const auto got = read(from.get(), buffer, sizeof buffer);
        if (got == 0) return Talk::ended;
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (got < 0) return Talk::ended;
        append(answer, {buffer, static_cast<std::size_t>(got)});
        if (answer.size() > longest_answer) return Talk::too_long;
    }
}

Failure unusable(std::string message) {
    return fail(Error(Errc::key_unusable, "expected " + std::move(message))
                    .with("hint", "try the command by hand: it gets the digest on stdin, its stdout is the signature"));
}

Result<Bytes> run(const std::vector<std::string>& command, BytesView input, std::chrono::milliseconds timeout) {
    TRY(auto in, make_pipe());
    TRY(auto out, make_pipe());
    TRY(const auto pid, spawn(command, in.read.get(), out.write.get()));
    Child child(pid);
    in.read.reset();
    out.write.reset();
    const auto deadline = Clock::now() + timeout;
    const auto late = [&] {
        return unusable(fmt::format("the signing command to end within {}, found that it still runs: it was stopped",
                                    human_duration(timeout)));
    };
    Bytes answer;
    switch (talk(std::move(in.write), std::move(out.read), input, answer, deadline)) {
        case Talk::timed_out:
            return late();
        case Talk::too_long:
            return unusable(fmt::format("at most {} bytes from the signing command, found more", longest_answer));
        case Talk::ended:
            break;
    }
    const auto status = child.wait_until(deadline);
    if (!status) return late();
    if (WIFSIGNALED(*status))
        return unusable(
            fmt::format("the signing command to exit with 0, found that signal {} ended it", WTERMSIG(*status)));
    if (WEXITSTATUS(*status) != 0)
        return unusable(fmt::format("the signing command to exit with 0, found {}", WEXITSTATUS(*status)));
    if (answer.empty()) return unusable("a signature on the signing command's stdout, found nothing");
    return answer;
}

}  // namespace

Result<std::vector<std::string>> split_command(std::string_view line) {
    std::vector<std::string> out;
    std::string word;
    bool in_word = false;
    char quote = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (c == '\\' && quote != '\'' && i + 1 < line.size()) {
            word.push_back(line[++i]);
            in_word = true;
        } else if (quote != 0) {
            if (c == quote)
                quote = 0;
            else
                word.push_back(c);
        } else if (c == '\'' || c == '"') {
            quote = c;
            in_word = true;
        } else if (c == ' ' || c == '\t' || c == '\n') {
            if (in_word) out.push_back(std::exchange(word, {}));
            in_word = false;
        } else {
            word.push_back(c);
            in_word = true;
        }
    }
    if (quote != 0) return fail(Errc::usage, "expected every quote of the command to be closed, found an open one");
    if (in_word) out.push_back(std::move(word));
    if (out.empty() || out.front().empty()) return fail(Errc::usage, "expected a command, found an empty one");
    return out;
}

Result<Bytes> ExternalSigner::sign(const image::SignRequest& request) {
    const bool message_is_region = request.pure && key_.type() == image::KeyType::ed25519;
    TRY(auto signature, run(command_, message_is_region ? request.region : request.digest, timeout_));
    if (image::verify_signature(key_, request, signature)) return signature;
    return fail(Error(Errc::signature_invalid,
                      fmt::format("expected the signing command to answer with a signature by the {} key {}, found {} "
                                  "bytes that are none",
                                  image::key_type_name(key_.type()), short_hex(key_.fingerprint()), signature.size()))
                    .with("hint",
                          "it gets the digest on stdin and answers with the signature alone: DER for ECDSA, raw "
                          "for RSA-PSS and Ed25519"));
}

}  // namespace fota::adapters
