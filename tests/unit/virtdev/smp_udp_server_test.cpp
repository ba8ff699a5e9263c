// The virtual board's SMP server on UDP.
#include "virtdev/smp_udp_server.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>

namespace fota::virtdev {
namespace {

using namespace std::chrono_literals;

/// The newest of this program's sockets; -1 without one.
int newest_socket() {
    for (int number = 255; number > 2; --number) {
        struct stat info {};
        if (fstat(number, &info) == 0 && S_ISSOCK(info.st_mode)) return number;
    }
    return -1;
}

TEST(SmpUdpServer, EndsAtTheDeadlineAlsoWithASocketThatFails) {
    boost::asio::io_context io;
    auto server = SmpUdpServer::open(io.get_executor(), "127.0.0.1:0");
    ASSERT_TRUE(server) << server.error().text();
    const int socket = newest_socket();
    const int file = open("/dev/null", O_RDWR | O_CLOEXEC);
    ASSERT_GE(socket, 0);
    ASSERT_GE(file, 0);
    ASSERT_EQ(dup2(file, socket), socket);  // from now on every read is refused at once
    close(file);

    std::optional<Result<Bytes>> received;
    boost::asio::co_spawn(io, (*server)->receive(std::chrono::steady_clock::now() + 50ms),
                          [&](std::exception_ptr failure, Result<Bytes> end) {
                              EXPECT_FALSE(failure);
                              received = std::move(end);
                          });
    io.run_for(5s);
    ASSERT_TRUE(received) << "it spins";
    ASSERT_FALSE(*received);
    EXPECT_EQ(received->error().code(), Errc::timed_out);
}

}  // namespace
}  // namespace fota::virtdev
