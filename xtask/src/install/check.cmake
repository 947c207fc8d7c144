# What a project writes that uses MPI.
cmake_minimum_required(VERSION 3.16)
project(check C CXX)
find_package(MPI REQUIRED)
message(STATUS "mpiexec is ${MPIEXEC_EXECUTABLE}")
add_executable(check_c check.c)
target_link_libraries(check_c MPI::MPI_C)
add_executable(check_cpp check.cpp)
target_link_libraries(check_cpp MPI::MPI_CXX)
