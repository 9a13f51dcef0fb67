"""Which image pulls and uploads fail on demand."""

from __future__ import annotations

from local.batch.node.faults import ImagePullFault, NodeFaultList, NodeFaults, UploadFault


def test_an_image_cannot_be_pulled_so_many_times():
    """Then it can; other images always could."""
    faults = NodeFaults()
    faults.replace(NodeFaultList(image_pulls=(ImagePullFault(image="busybox:*", next=2),)))
    pulls = ["busybox:1", "alpine:3", "busybox:2", "busybox:1"]
    assert [faults.fails_pull(image) for image in pulls] == [True, False, True, False]


def test_uploads_fail_by_their_pattern():
    """Without a pattern, any of them does."""
    faults = NodeFaults()
    faults.replace(NodeFaultList(uploads=(UploadFault(file_pattern="out/*"), UploadFault())))
    uploads = ["out/*", "out/*", "../stdout.txt"]
    assert [faults.fails_upload(pattern) for pattern in uploads] == [True, True, False]


def test_new_faults_replace_the_old_ones():
    """None at all ends every misbehaviour."""
    faults = NodeFaults()
    faults.replace(NodeFaultList(image_pulls=(ImagePullFault(),), uploads=(UploadFault(),)))
    faults.replace(NodeFaultList())
    assert not faults.fails_pull("busybox")
    assert not faults.fails_upload("*")
